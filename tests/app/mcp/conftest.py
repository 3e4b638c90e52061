"""A server that nobody needs a key for, and one with keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.mcp.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without keys, with the tools of ReMe 0.2 too."""
    with serving(tmp_path_factory.mktemp("open"), compatible=True) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for a store, used by processes that are started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
