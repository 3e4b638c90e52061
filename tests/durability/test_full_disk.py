"""The disk fills up: writes are refused, nothing is lost, reading goes on, and so does writing once there is space."""

from pathlib import Path

import pytest

from tests.durability.processes import start_child
from tests.durability.small_disks import Kind, fill_disk


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file system", "file size"])
def test_a_full_disk_refuses_writes_and_loses_nothing(tmp_path: Path, kind: Kind) -> None:
    """Where a file system cannot be mounted, a disk with a quota takes its place."""
    child = start_child(fill_disk, tmp_path, kind)
    _, used, written, errors = child.expect("filled")
    child.finish()
    assert used in (kind, "simulated")
    assert written > 10
    assert len(errors) == 5
    assert set(errors) == {"StoreFull"}
