"""The user that servers run as which refuse to be run by root."""

import grp
import os
import pwd
import subprocess
from functools import cache
from pathlib import Path

NAME = "reme-servers"
_FALLBACK = "nobody"


@cache
def find_account() -> str | None:
    """The name of an unprivileged user, who is added if root runs the tests; None where another runs them already."""
    if os.geteuid() != 0:
        return None
    if not _exists(NAME):
        command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", NAME]
        try:  # another worker may add it at the same moment
            subprocess.run(command, check=False, capture_output=True)
        except FileNotFoundError:
            return _FALLBACK
    return NAME if _exists(NAME) else _FALLBACK


def group_of(account: str) -> str:
    """The name of a user's own group."""
    return grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_name


def give(path: Path, account: str | None) -> None:
    """Make a file, or a folder with all in it, the account's own."""
    if account is None:
        return
    user = pwd.getpwnam(account)
    for each in (path, *path.rglob("*")):
        os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
