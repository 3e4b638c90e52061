"""Disks that are full: a small file system of its own where the machine allows it, and a limit on the size of files."""

import ctypes
import os
import resource
from pathlib import Path
from typing import Any, Literal, TypeAlias

from app.backends.clock import SystemClock
from app.backends.sqlite import open_store
from app.errors import StoreError
from tests.durability.failing_disk import FailingDisk
from tests.durability.invariants import check_file
from tests.durability.observation import Ledger, check_searches, settle
from tests.durability.processes import Reporter
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import IDENTITY, State, apply_operation, seed_random

WORKER = "w0"
SIZE_BYTES, BALLAST_BYTES = 6 << 20, 4 << 20
Kind: TypeAlias = Literal["file system", "file size"]
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_PRIVATE = 0x4000 | 0x40000
_ENOUGH = 3000


def mount_small(folder: Path) -> bool:
    """Mount a file system of 6 MB that only this process sees; False where that is not allowed."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_MOUNTS | (0 if user == 0 else _NEW_USERS)):
        return False
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if libc.mount(b"none", b"/", None, _PRIVATE, None):
        return False
    return not libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={SIZE_BYTES}".encode())


def fill_disk(reporter: Reporter, folder: Path, kind: Kind) -> None:
    """Write until the disk is full, then free some space and go on; report the errors and which disk it was."""
    path, ballast = folder / "memory.db", folder / "ballast"
    disk, limits = FailingDisk("small"), resource.getrlimit(resource.RLIMIT_FSIZE)
    vfs = None
    if kind == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_BYTES - BALLAST_BYTES, limits[1]))
        used = "file size"
    elif mount_small(folder):
        ballast.write_bytes(bytes(BALLAST_BYTES))
        used = "file system"
    else:
        disk.quota_bytes, vfs, used = SIZE_BYTES - BALLAST_BYTES, disk.name, "simulated"
    store = open_store(path, identity=IDENTITY, clock=SystemClock(), vfs=vfs)
    state: State = {}
    chooser = start_chooser(WORKER, 31, longest=30_000)
    errors: list[str] = []
    written = 0
    while len(errors) < 5 and written < _ENOUGH:
        operation = chooser.choose(state)
        try:
            perform(store, WORKER, state, operation)
        except StoreError as error:
            errors.append(type(error).__name__)
        else:
            state, written = apply_operation(state, operation), written + 1
    check_all(path, store, state)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    ballast.unlink(missing_ok=True)
    disk.repair()
    for _ in range(20):
        operation = chooser.choose(state)
        perform(store, WORKER, state, operation)
        state = apply_operation(state, operation)
    check_all(path, store, state)
    store.close()
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    check_all(path, store, state)
    store.close()
    reporter.send("filled", used, written, errors)


def check_all(path: Path, store: Any, state: State) -> None:
    """Assert that everything that was acknowledged is there and found."""
    settle(store, Ledger(worker=WORKER, state=state))
    check_searches(store, WORKER, state, random=seed_random("full"), sample=30)
    check_file(path)
