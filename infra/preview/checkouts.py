"""Base and head of a change as folders: git worktrees in a temporary folder, or the working tree itself."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.preview.errors import CheckoutFailed

_LIMIT_S = 300


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """One side: the repository's folder, the project's folder in it, how it is called, and its commit.

    `commit` is empty for the working tree.
    """

    root: Path
    project: Path
    name: str
    commit: str


@dataclass(frozen=True, kw_only=True)
class Checkouts:
    """Both sides of a change; a project that is not in the base has none there.

    `here` is the working tree, which has what git does not keep: a virtual environment, an engine.
    """

    base: Checkout
    head: Checkout
    here: Checkout


@contextmanager
def check_out(project: Path, base: str, head: str = "", *, carried: Sequence[str] = ()) -> Iterator[Checkouts]:
    """Both sides for as long as the context is open; `head` empty is the working tree as it is.

    `project` is the project's folder in the working tree. `carried` are paths of the repository that git does not
    keep and the programs need, such as `dist`: a side that lacks one has the working tree's. Raises CheckoutFailed
    for a folder outside of a repository, for a ref that is not there and for a clone that is too shallow to have it.
    """
    root = find_root(project)
    place = project.resolve().relative_to(root)
    with ExitStack() as opened:
        before = _open(opened, root, place, base, carried)
        here = Checkout(root=root, project=root / place, name="working tree", commit="")
        after = _open(opened, root, place, head, carried) if head else here
        yield Checkouts(base=before, head=after, here=here)


def find_root(folder: Path) -> Path:
    """The top of the repository that a folder is in; raises CheckoutFailed."""
    if not folder.is_dir():
        raise CheckoutFailed(f"{folder} is no folder: name the project's folder with --project")
    done = _git(folder, "rev-parse", "--show-toplevel")
    if done.returncode != 0:
        raise CheckoutFailed(f"{folder} is not in a git repository, so there is no base to compare with")
    return Path(done.stdout.strip()).resolve()


def resolve_ref(root: Path, ref: str) -> str:
    """The commit of a ref; raises CheckoutFailed, with what to do about it."""
    if not ref or ref.startswith("-"):
        raise CheckoutFailed(f"{ref!r} is no ref of git: name a branch, a tag or a commit")
    done = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if done.returncode == 0:
        return done.stdout.strip()
    if _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
        raise CheckoutFailed(
            f"{ref} is not in this clone, which is shallow: fetch it with `git fetch --depth 1 origin {ref}`, or check "
            "out with the whole history (`fetch-depth: 0`)"
        )
    raise CheckoutFailed(f"there is no ref {ref}: fetch it with `git fetch origin {ref}`, or name another with --base")


def _open(opened: ExitStack, root: Path, place: Path, ref: str, carried: Sequence[str]) -> Checkout:
    commit = resolve_ref(root, ref)
    folder = Path(tempfile.mkdtemp(prefix="reme-preview-")).resolve()
    opened.callback(_close, root, folder)
    done = _git(root, "worktree", "add", "--detach", "--force", str(folder / "tree"), commit)
    if done.returncode != 0:
        raise CheckoutFailed(f"{ref} cannot be checked out: {' '.join(done.stderr.split())}")
    tree = folder / "tree"
    for each in carried:
        kept, link = (root / each).resolve(), tree / each
        if not kept.is_relative_to(root) or not kept.exists():
            raise CheckoutFailed(f"{each} is not in the working tree of {root}: build it, or do not carry it over")
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(kept)
    return Checkout(root=tree, project=tree / place, name=ref, commit=commit)


def _close(root: Path, folder: Path) -> None:
    _git(root, "worktree", "remove", "--force", str(folder / "tree"))
    shutil.rmtree(folder, ignore_errors=True)
    _git(root, "worktree", "prune")


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # Hooks of the repository must not run: a worktree is opened only to be read.
    command = ["git", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *arguments]
    # A hook that starts this has variables such as GIT_INDEX_FILE, which name another tree than the folder's.
    seen = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S, env=seen)
    except FileNotFoundError:
        raise CheckoutFailed("there is no `git` on PATH: install it") from None
    except subprocess.TimeoutExpired:
        raise CheckoutFailed(f"git {arguments[0]} took more than {_LIMIT_S} s") from None
