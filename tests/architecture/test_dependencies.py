"""Dependencies point one way, and importing does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sizing", "app", "infra", "policies")

FORBIDDEN = {
    "sizing": {"app", "infra", "policies", "reme_cloud", "pulumi", "pulumi_aws", "pulumi_alicloud", "pulumi_policy"},
    "app": {"infra", "policies", "pulumi", "pulumi_aws", "pulumi_alicloud", "pulumi_policy"},
    "infra": {"app", "reme_cloud"},
    "policies": {"app", "infra", "reme_cloud"},
}
"""What each package must not import; ``infra.preview`` alone may import ``policies``."""


def modules(package: str) -> Iterator[Path]:
    return (path for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    for path in modules(package):
        names = {name.partition(".")[0] for name in imported(path)}
        assert not names & FORBIDDEN[package], f"{path.relative_to(ROOT)} imports {names & FORBIDDEN[package]}"


def test_only_the_preview_imports_policies() -> None:
    for path in modules("infra"):
        if "policies" in {name.partition(".")[0] for name in imported(path)}:
            assert "preview" in path.relative_to(ROOT / "infra").parts


def test_the_check_sees_imports_inside_functions(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    import pulumi.runtime\n    from app.main import x\n")
    assert imported(module) == {"pulumi.runtime", "app.main"}


@pytest.mark.parametrize("package", PACKAGES)
def test_module_names_shadow_no_standard_module_of_pulumi_folders(package: str) -> None:
    if package in ("infra", "policies"):
        for path in modules(package):
            assert path.stem in {"__init__", "__main__"} or path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_named_after_nothing(package: str) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    for path in modules(package):
        assert path.stem not in vague
        assert not vague & set(path.relative_to(ROOT).parts)


def test_modules_stay_readable() -> None:
    for package in PACKAGES:
        for path in modules(package):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 350, f"{path.relative_to(ROOT)} has {lines} lines: split it"


IMPORT_PROBE = """
import builtins, os, socket, sys
import importlib, pathlib
names = sys.argv[1:]
opened = []
class Watched(dict):
    pass
real_environ = os.environ
class Environ:
    def __getattr__(self, name):
        frame = sys._getframe(1)
        if frame.f_globals.get("__name__", "").partition(".")[0] in names:
            raise SystemExit(f"{frame.f_globals['__name__']} reads the environment at import")
        return getattr(real_environ, name)
    def __getitem__(self, key):
        return self.__getattr__("__getitem__")(key)
    def __contains__(self, key):
        return key in real_environ
def refuse(*a, **k):
    raise SystemExit("a socket at import")
def hook(event, args):
    if event == "socket.connect":
        refuse()
    if event == "open":
        frame = sys._getframe(1)
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            if name.startswith("importlib") or name == "zipimport":
                return
            if name.partition(".")[0] in names:
                raise SystemExit(f"{name} opens {args[0]} at import")
            frame = frame.f_back
sys.addaudithook(hook)
os.environ = Environ()
root = pathlib.Path.cwd()
for package in names:
    for path in sorted((root / package).rglob("*.py")):
        if path.stem == "__main__":
            continue
        parts = path.relative_to(root).with_suffix("").parts
        importlib.import_module(".".join(p for p in parts if p != "__init__"))
print("imported")
"""


@pytest.mark.slow
def test_importing_opens_nothing_and_reads_no_environment() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_PROBE, *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported" in done.stdout


def test_reme_size_needs_neither_the_service_nor_pulumi() -> None:
    """The report of every light format runs where those libraries cannot be imported."""
    probe = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pulumi","pulumi_aws","pulumi_alicloud","pulumi_policy","fastapi","uvicorn","openai","sqlite_vec","pandas","matplotlib","jinja2","numpy"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from sizing.commands.main import run
for form in ("table", "json", "markdown", "csv", "infracost-json"):
    try:
        run(["--users", "500", "--format", form])
    except SystemExit as stop:
        assert not stop.code, stop.code
"""
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
