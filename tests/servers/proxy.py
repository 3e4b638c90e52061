"""A TCP proxy between a client and a server, which spoils the way from one to the other as it is told."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.servers.ports import PortLease
from tests.servers.server import HOST

_CHUNK_BYTES = 65_536
_WAITING = 100
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for zero seconds: closing sends RST
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a connection is to be cut: when so much came back from the server, or when the client sends these bytes.

    `delivered` tells whether the server gets what the client sent last, `last` whether nobody is let in afterwards.
    """

    after_bytes: int | None = None
    sends: bytes = b""
    delivered: bool = True
    last: bool = False


@dataclass(eq=False)
class Link:
    """One client's connection and the one to the server that belongs to it."""

    accepted: socket.socket
    client: asyncio.StreamWriter | None = None
    server: asyncio.StreamWriter | None = None
    returned_bytes: int = 0
    sent: bytes = b""
    cut: bool = False

    def reset(self, writer: asyncio.StreamWriter | None) -> None:
        """Break one side off without a farewell."""
        if writer is not None:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class Proxy:
    """Listens on a port of its own and passes on what comes; used as a context manager. All methods may be called anytime.

    `cuts` counts the connections that were cut. What it does to connections holds for new ones and for those that are
    there, until `recover`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lease = PortLease()
        self.host, self.port = HOST, self._lease.number
        self.cuts = 0
        self._links: set[Link] = set()
        self._door: socket.socket | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._cut: Cut | None = None
        self._delay_s = 0.0
        self._bytes_per_s: int | None = None
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._lease.close()

    def stands_for(self, url: str) -> str:
        """A URL of the server, with the proxy's address in the place of its own."""
        parts = urlsplit(url)
        before, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{before}{at}{self.host}:{self.port}").geturl()

    # -- faults

    def refuse(self) -> None:
        """Listen no more: connections are refused, and those that are there are cut."""
        self._tell(self._refuse)

    def cut(self) -> None:
        """Cut every connection; new ones are welcome."""
        self._tell(self._cut_all)

    def cut_once(
        self, *, after_bytes: int | None = None, sends: bytes = b"", delivered: bool = True, last: bool = False
    ) -> None:
        """Cut the first connection to which it happens: so many bytes came back, or the client sends these bytes.

        With `delivered` the server gets what was sent, and acts on it, but its answer does not arrive. With `last`
        others are refused from that moment on, so that a client that tries again at once does not get through.
        """
        cut = Cut(after_bytes=after_bytes, sends=sends, delivered=delivered, last=last)
        self._tell(lambda: setattr(self, "_cut", cut))

    def swallow(self) -> None:
        """Pass nothing on and answer nothing; new connections are accepted. What was swallowed arrives at `recover`."""
        self._tell(self._flowing.clear)

    def delay(self, seconds: float) -> None:
        """Hold each part of a message back for some time, both ways."""
        self._tell(lambda: setattr(self, "_delay_s", seconds))

    def slow_down(self, bytes_per_s: int) -> None:
        """Pass no more than this on per second, each way of each connection."""
        self._tell(lambda: setattr(self, "_bytes_per_s", bytes_per_s))

    def recover(self) -> None:
        """Pass everything on again at once."""
        self._do(self._recover())

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._do(self._count())

    # -- within the loop

    def _do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _tell(self, work: Callable[[], object]) -> None:
        async def act() -> None:
            work()

        self._do(act())

    async def _count(self) -> int:
        return len(self._links)

    async def _listen(self) -> None:
        if self._door is None:
            self._door = socket.create_server((self.host, self.port), backlog=_WAITING)
            self._door.setblocking(False)
            self._loop.add_reader(self._door, self._let_in, self._door)

    def _let_in(self, door: socket.socket) -> None:
        """Accept a client. It is a link at once, so that nothing is ever lost between the two: asyncio's own servers
        leave what they have just accepted open when they end."""
        try:
            accepted, _ = door.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client went away
            return
        link = Link(accepted=accepted)
        self._links.add(link)
        task = self._loop.create_task(self._accept(link))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def _shut(self) -> None:
        if self._door is not None:
            self._loop.remove_reader(self._door)
            self._door.close()
            self._door = None

    def _refuse(self) -> None:
        self._shut()
        self._cut_all()

    async def _recover(self) -> None:
        self._cut, self._delay_s, self._bytes_per_s = None, 0.0, None
        self._flowing.set()
        await self._listen()

    async def _close(self) -> None:
        self._refuse()
        self._flowing.set()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for link in tuple(self._links):  # cancelled before it began
            link.accepted.close()

    def _cut_all(self) -> None:
        for link in tuple(self._links):
            self._break(link)
            link.reset(link.server)

    def _break(self, link: Link) -> None:
        """Cut the client off; the server's side stays for the moment."""
        if not link.cut:
            link.cut = True
            self.cuts += 1
        link.reset(link.client)

    async def _accept(self, link: Link) -> None:
        try:
            reader, link.client = await asyncio.open_connection(sock=link.accepted)
            if not link.cut:
                await self._serve(link, reader, link.client)
        except (OSError, asyncio.CancelledError):  # the server refuses, or the proxy closes
            pass
        finally:
            link.reset(link.client)
            link.reset(link.server)
            if link.client is None:
                link.accepted.close()
            self._links.discard(link)

    async def _serve(self, link: Link, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        answers, link.server = await asyncio.open_connection(*self._target)
        if link.cut:
            return
        there = asyncio.create_task(self._pass_on(link, reader, link.server, returns=False))
        back = asyncio.create_task(self._pass_on(link, answers, client, returns=True))
        try:
            await asyncio.wait((there, back), return_when=asyncio.ALL_COMPLETED)
        finally:
            for way in (there, back):
                way.cancel()

    async def _pass_on(
        self, link: Link, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, returns: bool
    ) -> None:
        try:
            while data := await source.read(_CHUNK_BYTES):
                await self._hold_back(len(data))
                if link.cut and returns:
                    continue  # the server may finish what it was told; nobody hears of it
                target.write(self._spoil(link, data, returns=returns))
                await target.drain()
            target.write_eof()
        except OSError:
            if not (link.cut and returns):
                link.reset(target)

    async def _hold_back(self, size: int) -> None:
        await self._flowing.wait()
        seconds = self._delay_s + (size / self._bytes_per_s if self._bytes_per_s else 0.0)
        if seconds:
            await asyncio.sleep(seconds)
        await self._flowing.wait()

    def _spoil(self, link: Link, data: bytes, *, returns: bool) -> bytes:
        """What is passed on of this data; the connection is cut where it was to be."""
        cut = self._cut
        if cut is None:
            return data
        if returns and cut.after_bytes is not None:
            left = cut.after_bytes - link.returned_bytes
            link.returned_bytes += len(data)
            if len(data) >= left:
                self._use_up(cut)
                if link.client is not None:
                    link.client.write(data[:left])
                self._break(link)
                link.reset(link.server)
                return b""
        elif not returns and cut.sends:
            link.sent = link.sent[-len(cut.sends) :] + data
            if cut.sends in link.sent:
                self._use_up(cut)
                self._break(link)
                if not cut.delivered:
                    link.reset(link.server)
                    return b""
        return data

    def _use_up(self, cut: Cut) -> None:
        self._cut = None
        if cut.last:
            self._shut()
