"""The package as such: quick to import, usable in a notebook, and clear about not being open."""

import asyncio
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path

import pytest

import reme_cloud
from tests.reme_cloud.conftest import HASHING
from tests.servers.waiting import PATIENCE_S

IMPORT = """
import sys
import reme_cloud
heavy = {"httpx", "numpy", "fastapi", "pydantic", "apsw", "anyio", "app.main", "mcp"} & set(sys.modules)
assert not heavy, heavy
print(len(sys.modules))
"""
MODULES = 200
"""What may be loaded, the interpreter's own 33 included: 128 in November 2026. With httpx it would be 276."""


def test_importing_it_loads_little() -> None:
    """The time of an import is that of its modules, and these can be counted on a busy machine as well."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < MODULES


def test_what_it_offers_is_there_and_explained() -> None:
    for name in reme_cloud.__all__:
        assert getattr(reme_cloud, name).__doc__ or name in ("MemoryType", "SearchMode")
    assert sorted(reme_cloud.__all__) == reme_cloud.__all__
    assert files(reme_cloud).joinpath("py.typed").is_file()
    for name, method in vars(reme_cloud.AsyncMemory).items():
        if callable(method) and not name.startswith("_"):
            assert method.__doc__, name
            assert getattr(reme_cloud.Memory, name).__doc__ == method.__doc__


def test_it_works_where_an_event_loop_runs(tmp_path: Path) -> None:
    async def cell() -> list[str]:
        memory = reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)).open()
        memory.add("Ada likes tea")
        texts = [each.content for each in memory.list()]
        memory.close()
        memory.close()
        return texts

    assert asyncio.run(cell()) == ["Ada likes tea"]


REPEATED = """
import reme_cloud
def cell():
    return reme_cloud.Memory(reme_cloud.embedded(settings={"embedding.backend": "hashing"})).open()
memory = cell()
memory.add("Ada likes tea")
memory = cell()
print([each.content for each in memory.list()])
"""


def test_a_cell_that_is_run_again_closes_what_it_opened_before(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "error", "-c", REPEATED]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "['Ada likes tea']\n", "")


def test_what_is_open_is_not_opened_again(tmp_path: Path) -> None:
    inner = reme_cloud.embedded(tmp_path, settings=HASHING)
    with reme_cloud.Memory(inner) as memory:
        with pytest.raises(reme_cloud.InvalidRequest, match="open already"):
            memory.open()
        with pytest.raises(reme_cloud.InvalidRequest, match="open already"):
            reme_cloud.Memory(inner).open()
        memory.add("Ada likes tea")
    with memory:
        assert [each.content for each in memory.list()] == ["Ada likes tea"]


ABANDONED = """
import reme_cloud
memory = reme_cloud.Memory(reme_cloud.embedded(settings={"embedding.backend": "hashing"})).open()
memory.add("Ada likes tea")
raise SystemExit(7)
"""


@pytest.mark.slow
def test_a_program_that_ends_without_closing_ends(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "error", "-c", ABANDONED]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as memory:
        assert [each.content for each in memory.list()] == ["Ada likes tea"]


def test_a_workspace_is_copied_line_by_line(tmp_path: Path) -> None:
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as memory:
        memory.add_many([reme_cloud.NewMemory(content=f"note {number}") for number in range(300)])
        assert memory.import_lines(memory.export(), workspace="copy").created == 300


def test_it_is_used_from_several_threads(tmp_path: Path) -> None:
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as memory:
        threads = [threading.Thread(target=memory.add, args=(f"note {number}",)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(memory.list())) == 16


def test_a_listing_that_is_left_harms_nothing(tmp_path: Path) -> None:
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as memory:
        memory.add_many([reme_cloud.NewMemory(content=f"note {number}") for number in range(300)])
        items = memory.list()
        assert next(items).content == "note 0"
    del items
    assert "note" not in repr(memory)


def test_what_is_not_open_says_so(tmp_path: Path) -> None:
    closed = reme_cloud.embedded(tmp_path, settings=HASHING)
    with pytest.raises(reme_cloud.InvalidRequest, match="open"):
        reme_cloud.Memory(closed).search("tea")
    with pytest.raises(reme_cloud.InvalidRequest, match="async with"):
        asyncio.run(closed.search("tea"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(reme_cloud.InvalidRequest, match="async with"):
        asyncio.run(reme_cloud.connect("http://127.0.0.1:9").search("tea"))


def test_settings_are_those_of_the_service(tmp_path: Path) -> None:
    with (
        pytest.raises(reme_cloud.SettingsError, match="embedding.backend"),
        reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings={"embedding.bakend": "hashing"})),
    ):
        raise AssertionError
    settings = {**HASHING, "search.half_life_days": None, "log.mask": ["api_key", "password"], "compat.repr": False}
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=settings)) as memory:
        assert memory.search("tea").hits == ()


def test_two_programs_share_a_store(tmp_path: Path) -> None:
    with (
        reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as one,
        reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as other,
    ):
        one.add("Ada likes tea")
        assert [hit.memory.content for hit in other.search("tea").hits] == ["Ada likes tea"]
        with reme_cloud.Memory(reme_cloud.embedded(tmp_path, tenant="other", settings=HASHING)) as stranger:
            assert stranger.search("tea").hits == ()


def test_a_store_of_another_embedding_is_refused(tmp_path: Path) -> None:
    with reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings=HASHING)) as memory:
        memory.add("Ada likes tea")
    with (
        pytest.raises(reme_cloud.StoreError, match="reme reembed"),
        reme_cloud.Memory(reme_cloud.embedded(tmp_path, settings={"embedding.backend": "local"})),
    ):
        raise AssertionError
