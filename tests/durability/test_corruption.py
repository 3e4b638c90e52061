"""Damaged files: typed errors on use, never a crash; the doctor finds the damage and makes anew what is derived."""

import shutil
from pathlib import Path

import apsw
import pytest

from app.backends.clock import SystemClock
from app.backends.sqlite import open_store
from app.backends.sqlite.doctor import Finding, examine
from app.backends.sqlite.repair import repair
from app.errors import StoreBusy, StoreCorrupt, StoreError
from tests.durability.conftest import Grown
from tests.durability.damage import Damage, damage_page, list_pages, use_store
from tests.durability.extent import THOROUGH
from tests.durability.invariants import check_file
from tests.durability.observation import (
    EVERYTHING,
    Ledger,
    check_searches,
    read_state,
    search_everything,
    settle,
    show,
)
from tests.durability.processes import start_child
from tests.durability.workers import perform, start_chooser
from tests.durability.workload import IDENTITY, apply_operation, scope_of, seed_random

WORKER = "w0"
INDEXES = (
    "chunks_default_id",
    "chunks_default_hash",
    "chunks_default_slot",
    "chunks_default_user",
    "chunks_default_revision",
    "chunks_default_deleted",
    "sqlite_autoindex_workspaces_1",
)
DERIVED = (
    "chunks_fts_default_data",
    "chunks_fts_default_idx",
    "chunks_fts_default_docsize",
    "chunks_fts_default_config",
    "chunks_bits_default",
    "chunks_slab_default",
    "chunks_slab_default_seq",
    "chunks_facets_default",
    "tallies",
)
PRIMARY = (
    "chunks_default",
    "chunks_vec_default",
    "workspaces",
    "store_facts",
    "store_clock",
    "receipts",
    "files_default",
)
DAMAGES: tuple[Damage, ...] = ("header", "bytes", "zeros") if THOROUGH else ("header", "bytes")


def spoil(path: Path, name: str, damage: Damage) -> None:
    """Damage one page of a table or index."""
    random = seed_random(f"{name}-{damage}")
    damage_page(path, random.choice(list_pages(path, name)), damage, random)


def checks_of(findings: tuple[Finding, ...]) -> set[str]:
    """Which checks found something."""
    return {finding.check for finding in findings}


def test_the_doctor_leaves_a_sound_store_alone(path: Path) -> None:
    before = path.read_bytes()
    assert examine(path) == ()
    assert repair(path) == ()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["memory.db"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PRIMARY, *INDEXES, *DERIVED])
def test_a_damaged_page_gives_typed_errors_and_no_crash(path: Path, grown: Grown, name: str) -> None:
    for damage in DAMAGES:
        used = Path(shutil.copy(grown.path, path.with_name(f"{damage}.db")))
        spoil(used, name, damage)
        child = start_child(use_store, used, WORKER, grown.state, damage)
        _, met, strange = child.expect("used")
        child.finish()
        assert not strange, strange[0]
        if damage == "header" and name in ("chunks_default", "chunks_default_id"):
            assert "StoreCorrupt" in met


@pytest.mark.slow
@pytest.mark.parametrize("name", [*INDEXES, *DERIVED])
def test_what_is_derived_is_repaired_to_what_it_was(path: Path, grown: Grown, name: str) -> None:
    """The repaired store answers every search as the undamaged one does."""
    sound = open_store(grown.path, identity=IDENTITY, clock=SystemClock())
    expected = search_everything(sound, WORKER, grown.state)
    sound.close()
    for damage in DAMAGES:
        shutil.copy(grown.path, path)
        spoil(path, name, damage)
        found = examine(path)
        assert all(finding.repairable for finding in found)
        mended = repair(path)
        assert checks_of(mended) == checks_of(found)
        assert examine(path) == ()
        check_file(path)
        store = open_store(path, identity=IDENTITY, clock=SystemClock())
        settle(store, Ledger(worker=WORKER, state=grown.state))
        assert search_everything(store, WORKER, grown.state) == expected
        store.close()


@pytest.mark.slow
def test_what_still_reads_of_damaged_memories_is_saved(path: Path, grown: Grown) -> None:
    for damage in DAMAGES:
        shutil.copy(grown.path, path)
        spoil(path, "chunks_default", damage)
        assert examine(path)
        found = repair(path)
        lost = sum(finding.rows for finding in found if not finding.repairable)
        assert lost, "a page of memories was spoilt, and none is said to be lost"
        store = open_store(path, identity=IDENTITY, clock=SystemClock())
        saved = read_state(store, WORKER, grown.state)
        expected = show(grown.state)
        same = {key for key, known in saved.items() if expected[key] == known}
        assert len(same) >= len(expected) - lost
        assert not [finding for finding in examine(path) if finding.repairable]
        check_searches(store, WORKER, {key: grown.state[key] for key in same}, random=seed_random("saved"), sample=100)
        operation = start_chooser(WORKER, 1, round_number=1).choose({})
        perform(store, WORKER, {}, operation)
        store.close()
        assert list(path.parent.glob("memory.db.*.bak")), "the damaged file is kept"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["workspaces", "files_default", "store_clock", "store_facts", "receipts", "migrations"]
)
def test_memories_survive_damage_of_what_they_belong_to(path: Path, grown: Grown, name: str) -> None:
    """Workspaces and sources that do not read are made anew under their old numbers, the clock goes on."""
    for damage in DAMAGES:
        shutil.copy(grown.path, path)
        spoil(path, name, damage)
        repair(path)
        assert examine(path) == ()
        check_file(path)
        store = open_store(path, identity=IDENTITY, clock=SystemClock())
        settle(store, Ledger(worker=WORKER, state=grown.state))
        check_searches(store, WORKER, grown.state, random=seed_random(name))
        operation = start_chooser(WORKER, 1, round_number=1).choose(grown.state)
        perform(store, WORKER, grown.state, operation)
        settle(store, Ledger(worker=WORKER, state=apply_operation(grown.state, operation)))
        store.close()


def edit(path: Path, sql: str) -> None:
    """Change a closed store behind the service's back; `{live}` is the number of a memory that lives."""
    connection = apsw.Connection(str(path))
    ((live,),) = connection.execute("SELECT min(number) FROM chunks_default WHERE deleted_at IS NULL").fetchall()
    connection.execute(sql.format(live=live))
    connection.close()


DISAGREEMENTS = {
    "DELETE FROM chunks_bits_default WHERE number % 3 = 0": {"signs"},
    "UPDATE chunks_bits_default SET bits = zeroblob(8)": {"signs"},
    "DELETE FROM chunks_slab_default WHERE number % 3 = 0": {"records"},
    "UPDATE chunks_slab_default SET seq = seq - 1 WHERE number = {live}": {"records"},
    "UPDATE chunks_slab_default SET record = zeroblob(3) WHERE number = {live}": {"records"},
    "DELETE FROM chunks_facets_default WHERE name = '#'": {"facets"},
    "INSERT INTO chunks_facets_default VALUES (1, '#', 'red', 99999)": {"facets"},
    "UPDATE tallies SET memories = memories + 1": {"tallies"},
    "UPDATE tallies SET text_bytes = text_bytes + 1": {"tallies"},
    "UPDATE store_clock SET seq = 1": {"clock"},
    "UPDATE store_facts SET value = '{{' WHERE name = 'embedding'": {"facts"},
    "DELETE FROM store_facts WHERE name = 'node_id'": {"facts"},
    "UPDATE workspaces SET tenant_id = 'acmf'": {"owners"},
    "UPDATE chunks_default SET tenant_id = 'acmf' WHERE number = {live}": {"owners"},
    "DELETE FROM workspaces": {"owners"},
    "DELETE FROM files_default": {"owners"},
    "INSERT INTO chunks_fts_default (chunks_fts_default) VALUES ('delete-all')": {"terms"},
    "UPDATE chunks_vec_default SET embedding = zeroblob(3) WHERE number = {live}": {"vectors", "signs"},
}


@pytest.mark.parametrize("sql", DISAGREEMENTS)
def test_the_doctor_finds_and_mends_what_disagrees(path: Path, grown: Grown, sql: str) -> None:
    edit(path, sql)
    found = examine(path)
    assert checks_of(found) == DISAGREEMENTS[sql]
    assert all(finding.repairable and finding.rows for finding in found)
    assert checks_of(repair(path)) == DISAGREEMENTS[sql]
    assert examine(path) == ()
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    settle(store, Ledger(worker=WORKER, state=grown.state))
    store.close()


def test_the_doctor_tells_which_texts_are_not_what_was_written(path: Path) -> None:
    edit(path, "UPDATE chunks_default SET text = text || '!' WHERE number = {live}")
    found = [finding for finding in examine(path) if finding.check == "texts"]
    assert [(finding.rows, finding.repairable) for finding in found] == [(1, False)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE chunks_default SET kind = 'perxonal' WHERE number = {live}",
        "UPDATE chunks_default SET tags = '[1' WHERE number = {live}",
        "UPDATE chunks_default SET text = CAST(x'ff41' AS TEXT) WHERE number = {live}",
    ],
)
def test_a_memory_that_does_not_read_is_named_and_taken_out(path: Path, sql: str) -> None:
    edit(path, sql)
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    with pytest.raises(StoreCorrupt):
        store.memories.scan(scope_of(WORKER), EVERYTHING, limit=1000, superseded=True)
    store.close()
    assert [(each.rows, each.repairable) for each in examine(path) if each.check == "memories"] == [(1, False)]
    repair(path)
    assert examine(path) == ()
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    assert store.memories.scan(scope_of(WORKER), EVERYTHING, limit=1000, superseded=True).items
    store.close()


def test_a_store_in_use_is_examined_but_not_repaired(path: Path, grown: Grown) -> None:
    edit(path, "UPDATE tallies SET memories = memories + 1")
    store = open_store(path, identity=IDENTITY, clock=SystemClock())
    settle(store, Ledger(worker=WORKER, state=grown.state))
    assert checks_of(examine(path)) == {"tallies"}
    with pytest.raises(StoreBusy):
        repair(path)
    settle(store, Ledger(worker=WORKER, state=grown.state))
    store.close()
    repair(path)
    assert examine(path) == ()


def test_the_doctor_names_a_store_that_is_not_there(tmp_path: Path) -> None:
    for call in (examine, repair):
        with pytest.raises(StoreError, match="no store"):
            call(tmp_path / "memory.db")
    assert not list(tmp_path.iterdir())
