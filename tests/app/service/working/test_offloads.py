"""Offloads: stored once, read byte for byte, closed to other workspaces, aged, and mended after an interruption."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.access import Principal, Role
from app.domain.memory import Scope
from app.domain.working import Offload, Tier, name_folder, read_file_path
from app.errors import Forbidden, InvalidRequest, MemoryServiceError, NotFound, StoreBusy, StoreCorrupt, StoreFull
from app.service.working import Maintained, WorkingMemory, gather
from tests.app.service.conftest import principal
from tests.app.service.working.conftest import (
    ANN,
    WORKSPACE,
    Desk,
    answer,
    call,
    limits,
    make_desk,
    read_text,
    research,
    restore,
)

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SCOPE = Scope(tenant_id="acme", workspace_id=WORKSPACE)
STRANGERS = (
    principal(Role.ADMIN, WORKSPACE, tenant_id="umbrella"),
    principal(Role.ADMIN, "project-2"),
)


def offload(working: WorkingMemory, *texts: str, who: Principal = ANN, workspace: str = WORKSPACE) -> list[Offload]:
    """Offload texts as outputs of tools."""
    said = [turn for n, text in enumerate(texts) for turn in (call(f"c{n}"), answer(f"c{n}", text))]
    done = working.shorten(
        who, workspace, said, limits=limits(max_total_tokens=1, max_tool_message_tokens=200, keep_recent_count=0)
    )
    outputs = {each.sha256: each for each in done.offloads if each.kind.value == "tool_output"}
    return list(outputs.values())


def text_of(number: int = 0) -> str:
    return "".join(f"{number}: line {line} 咖啡 \x00\r\n" for line in range(900))


def compact_only(working: WorkingMemory, text: str, **given: Any) -> Offload:
    said = [call("c"), answer("c", text)]
    done = working.shorten(
        ANN,
        given.pop("workspace", WORKSPACE),
        said,
        limits=limits(mode="compact", max_total_tokens=1, max_tool_message_tokens=200, keep_recent_count=0),
        **given,
    )
    return done.offloads[0]


def test_a_text_is_read_byte_for_byte_and_in_pages(desks: Desk) -> None:
    working = desks.open()
    for text in (text_of(), "x" * 700_000, "\n" * 9_000, "ends without" * 200 + "\nan end"):
        kept = compact_only(working, text)
        assert read_text(working, kept.id) == text
        assert (kept.bytes, kept.lines) == (len(text.encode()), len(text.splitlines()) if "\x00" not in text else 900)
        pages = [working.read(ANN, WORKSPACE, kept.id, offset=at, limit=400) for at in range(0, kept.lines, 400)]
        assert b"".join(b"".join(page) for page in pages).decode() == text
        assert list(working.read(ANN, WORKSPACE, kept.id, offset=kept.lines)) == []
    for wrong in ({"offset": -1}, {"limit": 0}):
        with pytest.raises(InvalidRequest):
            working.read(ANN, WORKSPACE, kept.id, **wrong)


def test_lines_are_found(desks: Desk) -> None:
    working = desks.open()
    kept = compact_only(working, text_of())
    assert [match.line for match in working.search(ANN, WORKSPACE, kept.id, "LINE 77")] == [78, *range(771, 781)]
    assert [match.line for match in working.search(ANN, WORKSPACE, kept.id, r"line 7+ ", limit=2)] == [8, 78]


def test_the_same_text_is_stored_once_in_a_workspace(desks: Desk) -> None:
    working = desks.open()
    first = compact_only(working, text_of(), chat_id="c1")
    desks.clock.step(DAY_MS)
    again = compact_only(working, text_of(), chat_id="c2")
    assert (again.id, again.object_name, again.chat_id) == (first.id, first.object_name, "c1")
    assert again.created_ms == first.created_ms + DAY_MS, "its age begins anew"
    elsewhere = compact_only(desks.open(), text_of(), workspace=WORKSPACE)
    assert elsewhere.object_name == first.object_name
    other = principal(Role.USER, "project-2")
    theirs = offload(working, text_of(), who=other, workspace="project-2")[0]
    assert theirs.id != first.id
    assert len([each for each in desks.objects.list() if each.bytes == first.bytes]) == 2


def test_another_workspace_finds_nothing(desk: Desk) -> None:
    working = desk.open()
    kept = compact_only(working, text_of())
    for stranger in STRANGERS:
        for workspace in (WORKSPACE, "project-2"):
            acts: list[Callable[[], object]] = [
                lambda: working.get(stranger, workspace, kept.id),  # noqa: B023 - called at once
                lambda: working.read(stranger, workspace, kept.id),  # noqa: B023
                lambda: working.search(stranger, workspace, kept.id, "line"),  # noqa: B023
                lambda: working.delete(stranger, workspace, kept.id),  # noqa: B023
            ]
            for act in acts:
                with pytest.raises(NotFound):
                    act()
    assert working.list(STRANGERS[0], WORKSPACE).items == ()
    assert read_text(working, kept.id) == text_of()


def test_rights(desk: Desk) -> None:
    working = desk.open()
    kept = compact_only(working, text_of())
    reader, account = principal(Role.READER, WORKSPACE), principal(Role.SERVICE_ACCOUNT, WORKSPACE)
    assert working.list(reader, WORKSPACE).items == (kept,)
    assert working.get(reader, WORKSPACE, kept.id) == kept
    assert read_text(working, kept.id, reader) == text_of()
    for who in (reader, account):
        with pytest.raises(Forbidden):
            working.delete(who, WORKSPACE, kept.id)
    working.delete(ANN, WORKSPACE, kept.id)
    with pytest.raises(NotFound):
        working.get(ANN, WORKSPACE, kept.id)
    assert list(desk.objects.list()) == []


@pytest.mark.parametrize(
    "path",
    ["", "..", "../x", "/etc/passwd", "working_memory/../../x", "working_memory/", f"x/{'a' * 32}.txt",
     f"working_memory/{'a' * 32}.txt/..", f"working_memory/{'A' * 32}.txt", f"{'a' * 32}.gz", f"{'a' * 32}\x00"],
)  # fmt: skip
def test_a_path_that_was_not_given_out_names_nothing(path: str) -> None:
    assert read_file_path(path) is None


def test_a_path_that_was_given_out_names_its_offload(desk: Desk) -> None:
    kept = compact_only(desk.open(), text_of())
    for path in (kept.file_path, f" {kept.file_path}\n", kept.id):
        assert read_file_path(path) == kept.id


def test_the_beginning_of_a_long_text() -> None:
    assert gather(iter([b"ab", b"cd"]), 4) == ("abcd", True)
    assert gather(iter([b"ab", b"cd"]), 3) == ("abc", False)
    assert gather(iter(["咖啡".encode()]), 5) == ("咖", False)


class TestAge:
    """Hot, warm, archived, deleted."""

    def test_a_life(self, desks: Desk) -> None:
        working = desks.open()
        texts = [text_of(), "x" * 1_000_000]
        kept = [compact_only(working, text) for text in texts]
        born_ms = desks.clock.now_ms()

        def after(days: float) -> Maintained:
            desks.clock.set(born_ms + int(days * DAY_MS))
            working.maintain(desks.clock.now_ms())
            again = working.maintain(desks.clock.now_ms())
            assert again == Maintained(), "a repetition does nothing"
            return again

        def tiers() -> list[Tier]:
            return [working.get(ANN, WORKSPACE, each.id).tier for each in kept]

        after(6.9)
        assert tiers() == [Tier.HOT] * 2
        after(7.1)
        assert tiers() == [Tier.WARM] * 2
        before = sum(each.bytes for each in desks.objects.list())
        after(30.1)
        assert tiers() == [Tier.ARCHIVE] * 2
        objects = list(desks.objects.list())
        assert len(objects) == 2
        assert sum(each.bytes for each in objects) < before / 5
        for one, text in zip(kept, texts, strict=True):
            assert read_text(working, one.id) == text
            stored = desks.objects.read(working.get(ANN, WORKSPACE, one.id).object_name)
            assert gzip.decompress(stored).decode() == text
        assert [match.line for match in working.search(ANN, WORKSPACE, kept[0].id, "line 7[7] ")] == [78]
        desks.clock.set(born_ms + int(90.1 * DAY_MS))
        assert working.maintain(desks.clock.now_ms()).deleted == 2
        assert list(desks.objects.list()) == []
        with pytest.raises(NotFound):
            working.get(ANN, WORKSPACE, kept[0].id)

    def test_what_is_counted(self, desk: Desk) -> None:
        working = desk.open()
        offload(working, *(text_of(number) for number in range(3)))
        count = len(working.list(ANN, WORKSPACE).items)
        life = ((8, Maintained(warmed=count)), (31, Maintained(archived=count)), (91, Maintained(deleted=count)))
        for days, expected in life:
            desk.clock.set(1_800_000_000_000 + days * DAY_MS)
            assert working.maintain(desk.clock.now_ms()) == expected

    def test_reading_keeps_it_warm_but_not_alive(self, desk: Desk) -> None:
        working = desk.open()
        kept = compact_only(working, text_of())
        for _ in range(9):
            desk.clock.step(10 * DAY_MS)
            working.maintain(desk.clock.now_ms())
            read_text(working, kept.id)
            assert working.get(ANN, WORKSPACE, kept.id).tier is Tier.HOT
        desk.clock.step(1)
        assert working.maintain(desk.clock.now_ms()).deleted == 1

    def test_a_reading_is_noted_once_an_hour(self, desk: Desk) -> None:
        working = desk.open()
        kept = compact_only(working, text_of())
        for step_ms, noted in ((HOUR_MS - 1, False), (1, True), (HOUR_MS - 1, False)):
            before_ms = working.get(ANN, WORKSPACE, kept.id).last_read_ms
            desk.clock.step(step_ms)
            read_text(working, kept.id)
            assert (working.get(ANN, WORKSPACE, kept.id).last_read_ms > before_ms) is noted

    def test_the_days_are_settings(self, desk: Desk) -> None:
        working = desk.open(delete_after_days=30)
        compact_only(working, text_of())
        desk.clock.step(31 * DAY_MS)
        assert working.maintain(desk.clock.now_ms()).deleted == 1

    def test_without_an_archive_it_stays_warm(self, desk: Desk) -> None:
        working = desk.open(archive_enabled=False)
        compact_only(working, text_of())
        desk.clock.step(60 * DAY_MS)
        assert working.maintain(desk.clock.now_ms()) == Maintained(warmed=1)

    def test_an_archived_text_that_comes_again_is_known(self, desk: Desk) -> None:
        working = desk.open()
        first = compact_only(working, text_of())
        desk.clock.step(31 * DAY_MS)
        working.maintain(desk.clock.now_ms())
        again = compact_only(working, text_of())
        assert (again.id, again.tier) == (first.id, Tier.ARCHIVE)
        assert read_text(working, first.id) == text_of()

    def test_it_stops_when_told(self, desk: Desk) -> None:
        working = desk.open()
        compact_only(working, text_of())
        desk.clock.step(91 * DAY_MS)
        assert working.maintain(desk.clock.now_ms(), lambda: True) == Maintained()

    def test_a_text_is_read_on_while_it_is_archived(self, desks: Desk) -> None:
        working = desks.open()
        text = text_of() * 40
        kept = compact_only(working, text)
        chunks = working.read(ANN, WORKSPACE, kept.id)
        begun = next(chunks)
        assert len(begun) < kept.bytes
        desks.clock.step(31 * DAY_MS)
        assert working.maintain(desks.clock.now_ms()).archived == 1
        assert (begun + b"".join(chunks)).decode() == text


class TestInterruptions:
    """What is left when a process dies, a disk fails, or two act at once."""

    def test_killed_between_the_object_and_its_row(self, desks: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        working = desks.open()

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(desks.store), "put_offloads", die)
            with pytest.raises(KeyboardInterrupt):
                compact_only(working, text_of())
        assert len(list(desks.objects.list())) == 1
        now_ms = next(desks.objects.list()).modified_ms
        assert working.maintain(now_ms + HOUR_MS - 1) == Maintained(), "a request may be under way"
        assert working.maintain(now_ms + HOUR_MS + 1) == Maintained(orphans=1)
        assert list(desks.objects.list()) == []
        assert read_text(working, compact_only(working, text_of()).id) == text_of()

    def test_a_full_disk_keeps_nothing_of_a_request(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        working = desk.open()
        put = desk.objects.put
        left = [2]

        def fail(name: str, content: bytes) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoreFull
            put(name, content)

        with monkeypatch.context() as patched:
            patched.setattr(desk.objects, "put", fail)
            with pytest.raises(StoreFull):
                offload(working, *(text_of(number) for number in range(4)))
        assert list(desk.objects.list()) == []
        assert working.list(ANN, WORKSPACE).items == ()

    def test_a_busy_store_loses_nothing(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        working = desk.open()

        def refuse(*_: object) -> None:
            raise StoreBusy

        with monkeypatch.context() as patched:
            patched.setattr(desk.store, "put_offloads", refuse)
            with pytest.raises(StoreBusy):
                compact_only(working, text_of())
        assert read_text(working, compact_only(working, text_of()).id) == text_of()

    def test_a_row_whose_object_is_lost_is_told_and_mended(self, desks: Desk) -> None:
        working = desks.open()
        kept, whole = compact_only(working, text_of()), compact_only(working, text_of(1))
        desks.objects.delete(kept.object_name)
        with pytest.raises(StoreCorrupt, match=kept.id):
            read_text(working, kept.id)
        assert working.maintain(desks.clock.now_ms()) == Maintained(damaged=(kept.id,))
        assert read_text(working, whole.id) == text_of(1)
        assert compact_only(working, text_of()).id == kept.id
        assert read_text(working, kept.id) == text_of()
        assert working.maintain(desks.clock.now_ms()) == Maintained()

    def test_a_spoilt_object_is_not_archived(self, desk: Desk) -> None:
        working = desk.open()
        kept = compact_only(working, text_of())
        desk.objects.put(kept.object_name, b"spoilt")
        desk.clock.step(31 * DAY_MS)
        assert working.maintain(desk.clock.now_ms()) == Maintained(warmed=1, damaged=(kept.id,))
        assert desk.objects.read(kept.object_name) == b"spoilt"

    @pytest.mark.parametrize("cut", [slice(None, -4), slice(20, None)])
    def test_a_spoilt_archive_is_told(self, desk: Desk, cut: slice) -> None:
        working = desk.open()
        kept = compact_only(working, text_of())
        desk.clock.step(31 * DAY_MS)
        working.maintain(desk.clock.now_ms())
        name = working.get(ANN, WORKSPACE, kept.id).object_name
        desk.objects.put(name, desk.objects.read(name)[cut])
        with pytest.raises(StoreCorrupt, match="archived"):
            read_text(working, kept.id)

    def test_two_that_store_the_same_at_once(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other one is done between this one's object and its row."""
        working, put = desk.open(), desk.objects.put
        others: list[Offload] = []

        def put_second(name: str, content: bytes) -> None:
            put(name, content)
            monkeypatch.setattr(desk.objects, "put", put)
            others.append(compact_only(working, text_of()))

        monkeypatch.setattr(desk.objects, "put", put_second)
        kept = compact_only(working, text_of())
        assert kept.id == others[0].id
        assert read_text(working, kept.id) == text_of()
        assert len(list(desk.objects.list())) == 1

    def test_maintenance_by_two_at_once(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        working = desk.open()
        kept = [compact_only(working, text_of(number)) for number in range(3)]
        desk.clock.step(31 * DAY_MS)
        move = desk.store.move_offload
        told: list[Maintained] = []

        def move_second(offload: Offload, **to: Any) -> bool:
            monkeypatch.setattr(desk.store, "move_offload", move)
            told.append(working.maintain(desk.clock.now_ms()))
            return move(offload, **to)

        monkeypatch.setattr(desk.store, "move_offload", move_second)
        first = working.maintain(desk.clock.now_ms())
        assert first.archived + told[0].archived == 3
        assert first.damaged == told[0].damaged == ()
        assert [read_text(working, each.id) for each in kept] == [text_of(number) for number in range(3)]
        assert len(list(desk.objects.list())) == 3


def test_a_forgotten_workspace_leaves_nothing(desks: Desk) -> None:
    working = desks.open()
    compact_only(working, text_of())
    other = principal(Role.USER, "project-2")
    theirs = offload(working, text_of(), who=other, workspace="project-2")[0]
    left = f"{name_folder(SCOPE)}{'0' * 32}.part-1"
    desks.objects.put(left, b"half of a text")
    assert working.forget(SCOPE) == 1
    assert working.list(ANN, WORKSPACE).items == ()
    assert [each.name for each in desks.objects.list(name_folder(SCOPE))] in ([left], [])
    assert working.get(other, "project-2", theirs.id) == theirs
    assert working.forget(SCOPE) == 0


def test_errors_and_reprs_tell_no_text(desk: Desk) -> None:
    working = desk.open()
    said = [call("c"), answer("c", "the canary sings " * 900), *research(1)[1:]]
    done = working.shorten(ANN, WORKSPACE, said, limits=limits(max_total_tokens=500))
    assert "canary" not in repr(done)
    small = make_desk(most_bytes=100).open()
    with pytest.raises(MemoryServiceError) as told:
        small.shorten(ANN, WORKSPACE, said, limits=limits(max_total_tokens=500))
    assert "canary" not in str(told.value)
    assert restore(working, done.messages) == said
