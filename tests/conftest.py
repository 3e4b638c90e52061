"""Fixtures for all tests: golden files with an update flag, and the four scenarios of the requirements."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples

from sizing.estimate import Estimate
from sizing.workload import Workload, sample_workload
from tests.servers.ports import PortLease

pytest_plugins = ["tests.servers.fixtures"]

GOLDEN = Path(__file__).parent / "golden"
APP = Path(__file__).parent / "app"
TODAY = date(2026, 11, 22)
EXPECTED_SKIPS = {
    "tests/app/indexes/test_qdrant_server.py": "no registry has a Qdrant server; QDRANT_URL names one",
    "tests/app/models/test_transformers.py": "sentence-transformers brings torch, which takes 1 GB and more",
    "tests/app/models/test_weights_of_objects.py": "as above, for one of its tests",
    "tests/infra/deployment/test_images.py": "podman, buildah and docker need rights and kernels that not every machine has",
    "tests/app/postgres/faults/test_full_disk.py": "only root may mount a small file system",
}
"""Tests of what no script of ours can install or do everywhere, and why; CI excuses these and no others."""


# A run must not depend on chance, nor on how busy the machine is: the same examples each time, however long they take.
examples.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Other examples each time, to look for what fails: pytest --hypothesis-profile=search
examples.register_profile("search", examples.get_profile("steady"), derandomize=False, max_examples=1_000)
examples.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite the golden files from what is produced now.")


SERVERS = ("chroma", "elasticsearch", "ministack", "postgres", "qdrant_grpc", "qdrant_rest", "seaweed", "valkey")
"""Servers and stand-ins that tests start; what needs one is marked `servers`, by the names of its fixtures and
parameters."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and item.path.is_relative_to(APP):
            names = [*item.fixturenames, item.name.partition("[")[2]]
            if any(server in name for server in SERVERS for name in names):
                item.add_marker("servers")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: what a machine lacks must be installed by a script of ours.

    Excused are those of `EXPECTED_SKIPS`, which are counted by name.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None or hasattr(session.config, "workerinput"):
        return
    every = reporter.stats.get("skipped", [])
    skipped = [report for report in every if report.nodeid.partition("::")[0] not in EXPECTED_SKIPS]
    for path, reason in EXPECTED_SKIPS.items():
        if any(report.nodeid.startswith(path) for report in every):
            reporter.write_line(f"CI: {path} was skipped, as expected: {reason}")
    if skipped and exitstatus == 0:
        reporter.write_line(f"CI: {len(skipped)} skipped tests are a failure here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a golden file; ``pytest --update-golden`` rewrites it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{name} is missing: run pytest --update-golden and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port of 127.0.0.1 that no other test takes meanwhile."""
    with closing(PortLease()) as lease:
        yield lease.number


@pytest.fixture(autouse=True)
def no_surprises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the width and colours of a developer's terminal out of the tests."""
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def own_lines_heard(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let `caplog` hear the service's own logger itself, whoever starts a service.

    A service in the tests' own process, of this test or of one before, keeps its lines from the root logger, where
    pytest listens.
    """
    logger = logging.getLogger("reme")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(caplog.handler)
    yield
    logger.removeHandler(caplog.handler)


SCENARIOS: dict[str, Workload] = {
    "personal": sample_workload(50),
    "team": sample_workload(90).with_driver("memories_per_user", Estimate.exactly(8000)),
    "company": sample_workload(500),
    "platform": sample_workload(5000),
}
"""The four rows of the requirements' closing table."""


@pytest.fixture(params=list(SCENARIOS))
def scenario(request: pytest.FixtureRequest) -> str:
    """The name of each scenario in turn."""
    return str(request.param)
