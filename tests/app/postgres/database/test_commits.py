"""Transactions whose connection dies while they are committed: each takes place once, and its caller is told the truth."""

from collections.abc import Iterator

import psycopg
import pytest

from app.backends.postgres.statements import Connection
from app.domain.change import ChangeState
from app.errors import StoreUnavailable
from tests.app.contract.samples import HERE, adding, commit, scan_all, texts
from tests.app.postgres.database.conftest import (
    OpenDatabase,
    OpenNode,
    administer,
    answers,
    count_up,
    read_number,
    succeeds,
)
from tests.servers.proxy import Proxy
from tests.servers.waiting import wait_until

COMMIT = b"; COMMIT"


@pytest.fixture
def proxy(dsn: str) -> Iterator[Proxy]:
    """A proxy before the server."""
    target = psycopg.conninfo.conninfo_to_dict(dsn)
    with Proxy(str(target["host"]), int(str(target["port"]))) as running:
        yield running


@pytest.mark.parametrize("delivered", [True, False], ids=["it took place", "it did not"])
def test_what_became_of_it_is_looked_up(proxy: Proxy, dsn: str, open_database: OpenDatabase, delivered: bool) -> None:
    database = open_database(proxy.stands_for(dsn))
    runs: list[int] = []

    def work(connection: Connection) -> int:
        runs.append(count_up(connection))
        return runs[-1]

    for number in range(1, 6):
        proxy.cut_once(sends=COMMIT, delivered=delivered)
        assert database.write(work, pipelined=number % 2 == 0) == number
        assert proxy.cuts == number
        assert database.ask(read_number) == number
    # one that was delivered may be given up before the server has come to it
    assert len(runs) in (range(5, 10) if delivered else [10])


@pytest.mark.parametrize("delivered", [True, False], ids=["it took place", "it did not"])
def test_a_batch_is_added_once(proxy: Proxy, dsn: str, open_node: OpenNode, delivered: bool) -> None:
    node = open_node(proxy.stands_for(dsn))
    proxy.cut_once(sends=COMMIT, delivered=delivered)
    outcomes = commit(node, adding("tea"), adding("milk")).outcomes
    assert [outcome.state for outcome in outcomes] == [ChangeState.CREATED] * 2
    assert proxy.cuts == 1
    assert texts(scan_all(node)) == ["tea", "milk"]
    assert [outcome.memory_id for outcome in outcomes] == [memory.id for memory in scan_all(node)]
    assert node.memories.contents(HERE).memories == 2


def test_while_the_server_says_nothing_the_outcome_is_not_known(
    proxy: Proxy, dsn: str, open_database: OpenDatabase
) -> None:
    database = open_database(proxy.stands_for(dsn), connect_s=1.0, statement_s=1.0)

    def work(connection: Connection) -> None:
        count_up(connection)
        proxy.swallow()

    wait_until(lambda: answers(database), "the server to be reached")
    with pytest.raises(StoreUnavailable, match="is not known"):
        database.write(work)
    proxy.recover()
    tries: list[bool] = []

    def writes_again() -> bool:
        tries.append(succeeds(database))
        return tries[-1]

    wait_until(writes_again, "the server to answer")
    # the one that is in doubt, and each try, took place once at the most
    assert open_database().ask(read_number) in range(1, len(tries) + 2)


def test_a_commit_that_arrives_after_it_was_given_up_is_refused(dsn: str) -> None:
    """A server that stood still may read the COMMIT when the transaction has been repeated."""
    settle = (
        "INSERT INTO commit_marks (session, mark, committed) VALUES ('s', 7, false)"
        " ON CONFLICT (session) DO UPDATE SET mark = excluded.mark,"
        " committed = commit_marks.committed AND commit_marks.mark = excluded.mark RETURNING committed"
    )
    with psycopg.connect(dsn) as late:
        count_up(late)
        assert administer(dsn, settle) == [(False,)]
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.execute("SELECT mark_commit('s', 7)")
        late.rollback()
        late.execute("SELECT mark_commit('s', 8)")
        late.commit()
    assert administer(dsn, settle.replace("7", "8")) == [(True,)]
    assert administer(dsn, settle.replace("7", "9")) == [(False,)]
