"""Inside the memory service: api → service → ports and domain ← backends, and one composition root."""

import ast
from pathlib import Path

import pytest

from tests.docs.pages import files

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

MAY_IMPORT = {
    "domain": {"domain", "errors"},
    "errors": {"domain"},
    "ports": {"ports", "domain", "errors"},
    "service": {"service", "ports", "domain", "errors"},
    "backends": {"backends", "ports", "domain", "errors"},
    "telemetry": {"telemetry", "settings", "ports", "domain", "errors"},
    "settings": {"settings", "errors", "domain"},
    "api": {"api", "service", "domain", "errors", "telemetry", "settings", "ports"},
    "assembly": {
        "api",
        "backends",
        "providers",
        "servers",
        "service",
        "ports",
        "domain",
        "errors",
        "settings",
        "telemetry",
    },
    "backup_places": {"assembly", "backends", "servers", "service", "domain", "errors", "settings"},
    "servers": {"backends", "service", "ports", "domain", "errors", "settings"},
    "providers": {"backends", "domain", "settings"},
    "mcp": {"mcp", "api", "service", "ports", "domain", "errors", "settings", "telemetry"},
    "commands": {
        "commands",
        "api",
        "assembly",
        "backup_places",
        "main",
        "mcp",
        "service",
        "domain",
        "errors",
        "settings",
        "telemetry",
    },
}
"""Which parts of the package each part may import; `main` may import all, and is with `assembly` the composition root."""

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
    backends = {
        "chroma",
        "elasticsearch",
        "embedders",
        "extractors",
        "indexed",
        "memory",
        "models",
        "objects",
        "postgres",
        "qdrant",
        "redis",
        "sqlite",
    }
    for backend in backends:
        for path in (APP / "backends" / backend).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not [other for other in backends - {backend} if f"app.backends.{other}" in text], path


IMPORTERS = {"app", "reme_cloud", "tests", "tools", "benchmarks"}
"""Folders that may import the service: itself, its Python package, and what checks, documents and measures it."""


def packages_imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_nothing_else_imports_the_service() -> None:
    # Of what git keeps: folders of builds come and go while they are listed.
    modules = [path for path in map(Path, files()) if path.suffix == ".py" and len(path.parts) > 1]
    outside = [path for path in modules if path.parts[0] not in IMPORTERS and not path.parts[0].startswith(".")]
    assert {"sizing", "infra", "policies"} <= {path.parts[0] for path in outside}
    for path in outside:
        assert not packages_imported(ROOT / path) & {"app", "reme_cloud"}, path


def test_the_service_does_not_know_its_python_package() -> None:
    for path in APP.rglob("*.py"):
        assert "reme_cloud" not in packages_imported(path), path.relative_to(ROOT)
