"""The server is killed, restarted and paused while four writers commit: nothing acknowledged is lost, nothing is half."""

import signal

import pytest

from app.errors import StoreBusy, StoreUnavailable
from tests.app.postgres.faults.conftest import HASTIER, HASTY, OpenStore
from tests.app.postgres.faults.writers import Writers, write_to
from tests.durability.extent import KILLS
from tests.durability.observation import scan_worker
from tests.durability.workload import seed_random
from tests.servers.postgres import PostgresServer
from tests.servers.processes import ProcessKey
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow

ROUNDS = max(5, KILLS // 20)


def check_anew(writers: Writers, open_node: OpenStore, dsn: str) -> None:
    """Check by the store that they wrote to, and by one that is opened now."""
    writers.stop()
    writers.check(open_node(dsn))


def test_killed_while_writing(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    random = seed_random("killed")
    store = open_node(dsn, **HASTY)
    with write_to(store) as writers:
        for number in range(ROUNDS):
            writers.advance(random.choice((1, 2, 5, 20)))
            own_postgres.kill()
            if number % 2:  # long enough to be told of it
                writers.meet_errors()
            own_postgres.start()
            writers.advance(4)
        writers.stop()
        writers.check(store)
        check_anew(writers, open_node, dsn)
    assert writers.told and writers.errors <= {"StoreUnavailable"}


def test_restarted_while_writing(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    with write_to(open_node(dsn, **HASTY)) as writers:
        for _ in range(3):
            own_postgres.restart()
            writers.advance(10)
        check_anew(writers, open_node, dsn)
    assert writers.errors <= {"StoreUnavailable"}


def find_sessions(server: PostgresServer) -> list[ProcessKey]:
    """The processes of the service's sessions that are there now."""
    asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'reme-cloud' ORDER BY random()"
    processes = {each.pid: each for each in server.processes()}
    return [processes[pid] for (pid,) in server.execute(asked) if pid in processes]


def test_one_of_its_processes_is_killed(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    """The server ends all sessions and recovers by itself."""
    with write_to(open_node(dsn, **HASTY)) as writers:
        for _ in range(3):
            wait_until(lambda: bool(find_sessions(own_postgres)), "a session")
            before = find_sessions(own_postgres)
            before[0].send(signal.SIGKILL)
            wait_until(lambda before=before: not any(each.runs() for each in before), "the sessions to end")  # type: ignore[misc]
            wait_until(own_postgres.answers, "the recovery")
            writers.advance(10)
        check_anew(writers, open_node, dsn)
    assert writers.errors <= {"StoreUnavailable"}


def test_sessions_are_terminated_while_writing(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    with write_to(open_node(dsn, **HASTY)) as writers:
        for _ in range(10):
            own_postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reme-cloud'"
            )
            writers.advance(3)
        check_anew(writers, open_node, dsn)
    assert writers.errors <= {"StoreUnavailable"}


def test_paused_while_writing(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    """Callers are told within the timeouts; what the server goes on to do later is no surprise to anybody."""
    store = open_node(dsn, **HASTIER)
    with write_to(store) as writers:
        for _ in range(2):
            own_postgres.pause()
            writers.meet_an_error_each()
            with pytest.raises((StoreUnavailable, StoreBusy)):
                scan_worker(store, "w0")  # type: ignore[arg-type]
            own_postgres.resume()
            writers.advance(10)
        check_anew(writers, open_node, dsn)
    assert writers.errors <= {"StoreUnavailable", "StoreBusy"}


def test_a_short_pause_is_only_slow(own_postgres: PostgresServer, dsn: str, open_node: OpenStore) -> None:
    with write_to(open_node(dsn)) as writers:
        for _ in range(5):
            own_postgres.pause()
            own_postgres.resume()
            writers.advance(3)
        check_anew(writers, open_node, dsn)
    assert not writers.errors


def test_a_statement_that_waits_too_long_is_given_up(
    own_postgres: PostgresServer, dsn: str, open_node: OpenStore
) -> None:
    with write_to(open_node(dsn, statement_timeout_s=1)) as writers:
        with own_postgres.connect(dsn) as other, other.transaction():
            other.execute("LOCK TABLE chunks_default IN ACCESS EXCLUSIVE MODE")
            writers.meet_an_error_each()
        writers.advance(10)
        check_anew(writers, open_node, dsn)
    assert writers.errors == {"StoreBusy"}
