"""Nothing is left behind: processes, folders and ports of a session that ended, in whatever way."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import installation
from tests.servers.accounts import find_account
from tests.servers.fixtures import run_server
from tests.servers.installation import ServerMissing, make_reachable
from tests.servers.ports import PortLease
from tests.servers.processes import ProcessKey, find_process
from tests.servers.server import HOST
from tests.servers.valkey import ValkeyServer
from tests.servers.waiting import NeverHappened, wait_until

_ROOT = Path(__file__).parents[2]
_SESSION = """
import signal, sys
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
with PostgresServer() as one, ValkeyServer() as other:
    one.pause()
    for server in (one, other):
        for each in server.processes():
            if each.runs():  # one that ended before the others were stopped is waited for by nobody
                print("process", each.pid, each.started)
        print("folder", server.folder, 0)
    print("ready", 0, 0, flush=True)
    signal.pause()
"""


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_servers_end_with_the_session(ended_by: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _SESSION], cwd=_ROOT, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        processes: list[ProcessKey] = []
        folders: list[Path] = []
        for line in session.stdout:
            kind, name, started = line.split()
            if kind == "process":
                processes.append(ProcessKey(int(name), int(started)))
            elif kind == "folder":
                folders.append(Path(name))
            else:
                break
        assert len(folders) == 2 and len(processes) > 4 and all(each.runs() for each in processes)
        session.send_signal(ended_by)
        wait_until(lambda: not any(each.runs() for each in processes), "the servers to end")
        wait_until(lambda: not any(each.exists() for each in folders), "their folders to go")


def test_a_process_is_not_taken_for_another_of_its_number() -> None:
    me = find_process(os.getpid())
    assert me is not None and me.runs()
    assert not ProcessKey(me.pid, me.started + 1).runs()


def test_ports_are_leased_once() -> None:
    leases = [PortLease() for _ in range(50)]
    try:
        assert len({lease.number for lease in leases}) == 50
        for lease in leases:
            socket.create_server((HOST, lease.number)).close()
            with socket.socket(socket.AF_UNIX) as claim, pytest.raises(OSError):
                claim.bind(f"\0reme-test-port-{lease.number}")
    finally:
        for lease in leases:
            lease.close()


def test_waiting_ends_and_says_for_what() -> None:
    with pytest.raises(NeverHappened, match="waited 0 s for rain"):
        wait_until(lambda: False, "rain", patience_s=0)


def test_a_missing_server_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "ENVIRONMENT", tmp_path)
    with (
        pytest.raises(pytest.skip.Exception, match="valkey is not installed: run `bash tools/install-servers.sh`"),
        run_server(ValkeyServer),
    ):
        pass
    monkeypatch.setattr(installation, "sys", type("Elsewhere", (), {"platform": "darwin"}))
    with pytest.raises(ServerMissing, match="Linux only"):
        ValkeyServer()


def test_programs_in_a_closed_folder_are_copied_for_the_unprivileged_user(tmp_path: Path) -> None:
    place = tmp_path / "closed"
    for part in ("bin", "bin.libs"):
        (place / part).mkdir(parents=True)
        (place / part / "file").write_text(part, encoding="utf-8")
    assert make_reachable(place, ["bin", "bin.libs"], None, tmp_path / "never") == place
    account = find_account()
    if account is None:  # nobody else runs programs here
        return
    place.chmod(0o700)
    with closing(ValkeyServer()) as server:  # for its folder, which others may enter
        copy = make_reachable(place, ["bin", "bin.libs"], account, server.folder)
        assert copy != place
        assert [(copy / part / "file").read_text(encoding="utf-8") for part in ("bin", "bin.libs")] == [
            "bin",
            "bin.libs",
        ]
        server.folder.chmod(0o755)
        assert make_reachable(copy, ["bin"], account, tmp_path / "never") == copy
