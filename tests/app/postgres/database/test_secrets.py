"""No password and no text of a memory stands in an error, a repr or a log."""

import logging
from contextlib import closing
from traceback import format_exception
from urllib.parse import urlsplit

import pytest

from app.backends.clock import SteppingClock
from app.backends.postgres import open_store
from app.backends.postgres.sessions import read_address
from app.errors import MemoryServiceError, SettingsError, StoreError, StoreUnavailable
from tests.app.contract.samples import HERE, IDENTITY, adding, commit
from tests.app.postgres.database.conftest import OpenDatabase, OpenNode, administer
from tests.servers.ports import PortLease

HIDDEN = "hunter2"
TEXT = "the safe opens with 4711"


def show(error: BaseException) -> str:
    """An error as a log shows it, with what caused it."""
    return "".join(format_exception(error)) + repr(error)


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://reme:{HIDDEN}@db.example.com:port/reme",
        f"postgresql://reme:hunter1@{HIDDEN}@db.example.com/reme",
        f"postgresql://reme:{HIDDEN}@db.example.com/reme?colour=red",
        f"host=db.example.com password='{HIDDEN}",
        f"{HIDDEN}",
    ],
)
def test_a_connection_string_that_does_not_read(dsn: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(dsn, identity=IDENTITY, clock=SteppingClock())
    assert HIDDEN not in show(caught.value)


def test_a_server_that_cannot_be_reached(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(PortLease()) as lease:
        address = f"127.0.0.1:{lease.number}"
        with pytest.raises(StoreUnavailable, match=address) as caught:
            open_store(f"postgresql://reme:{HIDDEN}@{address}/reme", identity=IDENTITY, clock=SteppingClock())
    assert HIDDEN not in show(caught.value) + caplog.text


def test_a_refused_password(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    parts = urlsplit(dsn)
    wrong = parts._replace(netloc=f"nobody:{HIDDEN}@{parts.netloc.rpartition('@')[2]}").geturl()
    with pytest.raises(StoreUnavailable, match="nobody") as caught:
        open_store(wrong, identity=IDENTITY, clock=SteppingClock())
    assert HIDDEN not in show(caught.value) + caplog.text


def test_nothing_shows_the_connection_string(dsn: str, open_node: OpenNode) -> None:
    parts = urlsplit(dsn)
    with_password = parts._replace(netloc=f"postgres:{HIDDEN}@{parts.netloc.rpartition('@')[2]}").geturl()
    node = open_node(with_password)
    address = read_address(with_password, connect_timeout_s=1, statement_timeout_s=1)
    parts_of_it = [getattr(node, name) for name in type(node).__dataclass_fields__]
    assert HIDDEN not in repr(node) + repr(address) + str(address) + "".join(map(repr, parts_of_it))
    assert node.database.address == parts.netloc.rpartition("@")[2]


def test_a_refused_statement_does_not_repeat_its_values(
    dsn: str, open_database: OpenDatabase, open_node: OpenNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    database = open_database()
    for sql in ("SELECT %s::integer", "SELECT %s::json", "INSERT INTO store_facts VALUES (%s, NULL)"):
        with pytest.raises(StoreError) as caught:
            database.ask(lambda connection, sql=sql: connection.execute(sql, (TEXT,)))  # type: ignore[misc]
        assert TEXT not in show(caught.value) + caplog.text
        with pytest.raises(StoreError) as caught:
            database.write(lambda connection, sql=sql: connection.execute(sql, (TEXT,)), pipelined=True)  # type: ignore[misc]
        assert TEXT not in show(caught.value) + caplog.text
    node = open_node()
    administer(dsn, "ALTER TABLE chunks_default ADD CHECK (length(text) < 10)")
    with pytest.raises(StoreError) as caught:
        commit(node, adding(TEXT))
    assert "chunks_default" in str(caught.value)
    assert TEXT not in show(caught.value) + caplog.text


def test_a_refused_change_leaves_no_text_in_the_log(
    dsn: str, open_node: OpenNode, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch that is refused for another reason than the statements that fail after it."""
    caplog.set_level(logging.DEBUG)
    node = open_node()
    administer(dsn, "ALTER TABLE chunks_default ADD CHECK (length(text) < 10)")
    with pytest.raises(MemoryServiceError) as caught:
        commit(node, adding(TEXT, slot="a"), adding("tea", slot="a", id="0" * 32), adding("milk", id="0" * 32))
    assert TEXT not in show(caught.value) + caplog.text
    assert node.memories.contents(HERE).memories == 0
