"""The proxy: what it passes on, and every way in which it spoils a connection."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import pytest

from tests.servers.proxy import Proxy
from tests.servers.server import HOST
from tests.servers.waiting import PATIENCE_S, wait_until


class Echo:
    """Answers each line with itself, and keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._door = socket.create_server((HOST, 0))
        self.port = int(self._door.getsockname()[1])
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as stream:
            try:
                for line in stream:
                    self.heard.append(line)
                    stream.write(line)
                    stream.flush()
            except OSError:
                return

    def close(self) -> None:
        """Stop listening."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server that can be asked."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """A proxy before it."""
    with Proxy(HOST, echo.port) as running:
        yield running


@contextmanager
def connect(proxy: Proxy) -> Iterator[socket.socket]:
    """A client's connection."""
    with socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S) as client:
        yield client


def ask(client: socket.socket, line: bytes) -> bytes:
    """Send a line and return what comes back until a line is whole or the connection ends."""
    client.sendall(line)
    answer = b""
    while not answer.endswith(b"\n") and (data := client.recv(4096)):
        answer += data
    return answer


def test_it_passes_both_ways_on_and_closes_with_either_side(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert ask(client, b"one\n") == b"one\n"
        assert ask(client, b"x" * 300_000 + b"\n") == b"x" * 300_000 + b"\n"
        assert proxy.connections == 1
    wait_until(lambda: proxy.connections == 0, "the connection to end")
    assert proxy.cuts == 0


def test_it_refuses_until_it_recovers_at_the_same_address(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"one\n") == b"one\n"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            ask(client, b"two\n")
    with pytest.raises(ConnectionRefusedError), connect(proxy):
        pass
    proxy.recover()
    with connect(proxy) as client:
        assert ask(client, b"three\n") == b"three\n"


def test_it_cuts_all_connections(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        assert ask(one, b"one\n") == ask(other, b"one\n")
        proxy.cut()
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                ask(client, b"two\n")
    assert proxy.cuts == 2
    with connect(proxy) as client:
        assert ask(client, b"three\n") == b"three\n"


@pytest.mark.parametrize("delivered", [True, False])
def test_it_cuts_at_what_the_client_sends(proxy: Proxy, echo: Echo, delivered: bool) -> None:
    proxy.cut_once(sends=b"COMMIT", delivered=delivered)
    with connect(proxy) as client:
        assert ask(client, b"begin\n") == b"begin\n"
        client.sendall(b"COM")
        wait_until(lambda: echo.heard == [b"begin\n"], "the beginning")
        with pytest.raises(ConnectionResetError):
            ask(client, b"MIT\n")
    assert proxy.cuts == 1
    if delivered:
        wait_until(lambda: echo.heard == [b"begin\n", b"COMMIT\n"], "what was delivered")
    wait_until(lambda: proxy.connections == 0, "the server's side to end")
    with connect(proxy) as client:  # once only
        assert ask(client, b"COMMIT\n") == b"COMMIT\n"
    assert echo.heard.count(b"COMMIT\n") == 1 + delivered


def test_the_last_cut_lets_nobody_in_until_it_recovers(proxy: Proxy, echo: Echo) -> None:
    proxy.cut_once(sends=b"COMMIT", delivered=False, last=True)
    with connect(proxy) as client, pytest.raises(ConnectionResetError):
        ask(client, b"COMMIT\n")
    with pytest.raises(ConnectionRefusedError), connect(proxy):
        pass
    assert echo.heard == []
    proxy.recover()
    with connect(proxy) as client:
        assert ask(client, b"COMMIT\n") == b"COMMIT\n"


def test_it_cuts_in_the_middle_of_an_answer(proxy: Proxy) -> None:
    proxy.cut_once(after_bytes=5)
    with connect(proxy) as client:
        received = b""
        client.sendall(b"0123456789\n")
        with pytest.raises(ConnectionResetError):
            while data := client.recv(1):
                received += data
        assert len(received) <= 5
    assert proxy.cuts == 1


def test_what_it_swallows_arrives_later(proxy: Proxy, echo: Echo) -> None:
    answered = Event()

    def ask_late() -> None:
        with connect(proxy) as client:
            assert ask(client, b"late\n") == b"late\n"
            answered.set()

    with connect(proxy) as client:
        assert ask(client, b"one\n") == b"one\n"
        proxy.swallow()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(client, b"two\n")
        waiting = Thread(target=ask_late)
        waiting.start()
        wait_until(lambda: proxy.connections == 2, "a connection to be accepted")
        assert echo.heard == [b"one\n"] and not answered.is_set()
        proxy.recover()
        waiting.join(PATIENCE_S)
        assert answered.is_set()
        client.settimeout(PATIENCE_S)
        assert client.recv(10) == b"two\n"


@pytest.mark.parametrize("slow", ["delay", "bandwidth"])
def test_it_is_slow_on_request(proxy: Proxy, slow: str) -> None:
    if slow == "delay":
        proxy.delay(0.3)
    else:
        proxy.slow_down(20)
    with connect(proxy) as client:
        began = monotonic()
        assert ask(client, b"slow\n") == b"slow\n"
        assert monotonic() - began >= 0.5, "0.3 s, or 5 bytes of 20 a second, each way"


def test_it_takes_the_servers_place_in_addresses(proxy: Proxy) -> None:
    assert proxy.stands_for("postgresql://me:pw@db:5432/x?a=b") == f"postgresql://me:pw@{HOST}:{proxy.port}/x?a=b"
    assert proxy.stands_for("http://db:9200") == f"http://{HOST}:{proxy.port}"


def test_it_passes_on_that_the_server_is_gone() -> None:
    with socket.create_server((HOST, 0)) as door, Proxy(HOST, door.getsockname()[1]) as proxy, connect(proxy) as client:
        server, _ = door.accept()
        server.close()
        assert client.recv(1) == b""
    with Proxy(HOST, 1) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)
