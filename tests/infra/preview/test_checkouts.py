"""Base and head from git: worktrees that are gone afterwards, and errors that say what to do."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.preview.checkouts import check_out
from infra.preview.errors import CheckoutFailed

WHO = ("-c", "user.name=t", "-c", "user.email=t@example.com")


def git(folder: Path, *arguments: str) -> str:
    """Run git; returns what it printed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *WHO, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commit everything; returns the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two commits and a change that is not committed, its project in a folder `infra`."""
    folder = tmp_path / "shop"
    (folder / "infra").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for version in ("one", "two"):
        (folder / "infra" / "version").write_text(version, encoding="utf-8")
        commit(folder, version)
    (folder / "infra" / "version").write_text("three", encoding="utf-8")
    (folder / "dist").mkdir()
    return folder


def test_both_sides_are_there_and_then_gone(repository: Path) -> None:
    with check_out(repository / "infra", "HEAD~1") as both:
        assert (both.base.project / "version").read_text() == "one"
        assert (both.head.project / "version").read_text() == "three", "the working tree, as it is"
        assert both.head.root == both.here.root == repository
        there = both.base.root
    assert not there.parent.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert (repository / "infra" / "version").read_text() == "three"


def test_a_head_may_be_a_ref(repository: Path) -> None:
    with check_out(repository / "infra", "HEAD~1", "main", carried=("dist",)) as both:
        assert (both.head.project / "version").read_text() == "two"
        assert both.head.commit == git(repository, "rev-parse", "HEAD")
        assert both.here.project == repository / "infra", "where environments and engines are"
        assert (both.base.root / "dist").is_dir()


def test_an_interrupt_leaves_nothing_behind(repository: Path) -> None:
    with pytest.raises(KeyboardInterrupt), check_out(repository / "infra", "HEAD", "HEAD~1"):
        raise KeyboardInterrupt
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("ref", ["no-such-branch", "", "--help"])
def test_a_ref_that_is_not_there_is_named(repository: Path, ref: str) -> None:
    with pytest.raises(CheckoutFailed, match="ref"), check_out(repository, ref):
        pass


def test_a_shallow_clone_is_told_how_to_fetch(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    advice = "shallow: fetch it with `git fetch --depth 1"
    with pytest.raises(CheckoutFailed, match=advice), check_out(clone, "v1.0"):
        pass


def test_a_folder_outside_of_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckoutFailed, match="not in a git repository"), check_out(tmp_path, "HEAD"):
        pass
    with pytest.raises(CheckoutFailed, match="is no folder"), check_out(tmp_path / "none", "HEAD"):
        pass


def test_a_hook_of_git_may_start_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git" / "index"))
    with check_out(repository / "infra", "HEAD~1") as both:
        assert (both.base.project / "version").read_text() == "one"
    monkeypatch.undo()
    assert git(repository, "status", "--short") == "M infra/version"
