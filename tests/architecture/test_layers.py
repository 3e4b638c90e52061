"""Inside the memory service: api → service → ports and domain ← backends, and one composition root."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"

MAY_IMPORT = {
    "domain": {"domain", "errors"},
    "errors": set(),
    "ports": {"domain", "errors"},
    "service": {"service", "ports", "domain", "errors"},
    "backends": {"backends", "ports", "domain", "errors"},
    "telemetry": {"telemetry", "settings", "ports", "domain", "errors"},
    "settings": {"errors", "domain"},
    "api": {"api", "service", "domain", "errors", "telemetry", "settings", "ports"},
    "commands": {"commands", "api", "main", "service", "domain", "errors", "settings", "telemetry"},
}
"""Which parts of the package each part may import; `main`, the composition root, may import all."""

EXCEPTIONS = {("commands/doctor.py", "backends")}
"""The doctor examines a store that the service cannot open."""


def parts_imported(path: Path) -> set[str]:
    """The parts of the package that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "app":
            names = [f"app.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found |= {name.split(".")[1] for name in names if name.startswith("app.")}
    return found


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    folder = APP / part
    modules = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    assert modules
    for path in modules:
        name = path.relative_to(APP).as_posix()
        excused = {layer for module, layer in EXCEPTIONS if module == name}
        wrong = parts_imported(path) - MAY_IMPORT[part] - excused
        assert not wrong, f"app/{name} imports {sorted(wrong)}"


def test_every_part_has_a_rule() -> None:
    parts = {path.stem for path in APP.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "__main__", "main"} == set(MAY_IMPORT)


def test_a_backend_does_not_know_another() -> None:
    for backend in ("sqlite", "memory", "embedders", "extractors"):
        for path in (APP / "backends" / backend).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            others = {"sqlite", "memory", "embedders", "extractors"} - {backend}
            assert not [other for other in others if f"app.backends.{other}" in text], path
