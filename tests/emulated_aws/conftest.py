"""What `make test-full` runs of this folder, and `make test` does not: more whole lives of stacks, some minutes each."""

import os
from collections.abc import Iterator

import pytest

from tests.emulated_aws.stage import Stage
from tests.servers.installation import ServerMissing

collect_ignore = [] if os.environ.get("REME_STACKS") == "all" else ["test_stacks.py"]


@pytest.fixture
def own_stage() -> Iterator[Stage]:
    """An emulated AWS of the test's own."""
    try:
        made = Stage()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with made:
        yield made
