"""A memory without `await`: for scripts and notebooks."""

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import update_wrapper
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar, cast
from weakref import WeakSet, finalize

from reme_cloud.errors import InvalidRequest
from reme_cloud.memory import AsyncMemory

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

P = ParamSpec("P")
T = TypeVar("T")

_END = object()


def _waiting(method: Callable[Concatenate[AsyncMemory, P], Awaitable[T]]) -> Callable[Concatenate["Memory", P], T]:
    """The method of an `AsyncMemory` as one that returns when it is done."""

    def wait(self: "Memory", /, *arguments: P.args, **named: P.kwargs) -> T:
        return self._wait(lambda: method(self._memory, *arguments, **named))

    update_wrapper(wait, method)
    return wait


def _stepping(
    method: Callable[Concatenate[AsyncMemory, P], AsyncGenerator[T]],
) -> Callable[Concatenate["Memory", P], Iterator[T]]:
    """The method of an `AsyncMemory` as one that returns an ordinary iterator."""

    def step(self: "Memory", /, *arguments: P.args, **named: P.kwargs) -> Iterator[T]:
        items = method(self._memory, *arguments, **named)
        try:
            while (item := self._wait(lambda: anext(items, _END))) is not _END:
                yield cast(T, item)
        finally:
            if self._portal is not None:
                self._wait(items.aclose)

    update_wrapper(step, method)
    return step


class Memory:
    """Any `AsyncMemory`, to be entered with `with`; its methods are the same and wait for their results.

        with reme_cloud.Memory(reme_cloud.connect("http://127.0.0.1:8002")) as memory:
            memory.add("Ada prefers coffee without sugar", user_id="ada")

    An event loop of its own runs in a thread, so that it may be used where another one runs, as in a notebook, and
    from several threads.
    """

    def __init__(self, memory: AsyncMemory) -> None:
        self._memory = memory
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._dropped: finalize[[ExitStack], Memory] | None = None

    def __repr__(self) -> str:
        return f"<Memory over {self._memory!r}>"

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Self:
        """Start, as `with` does; for a notebook, where no block can span several cells. The end of the program closes.

        One that nobody holds any more is closed too. Raises `InvalidRequest` where it is open already, and what
        entering the memory raises.
        """
        if self._portal is not None:
            raise InvalidRequest("the memory is open already: use the one that is, or close it first")
        with ExitStack() as stack:
            portal = stack.enter_context(_start_loop())
            stack.enter_context(portal.wrap_async_context_manager(self._memory))
            self._portal, self._stack = portal, stack.pop_all()
        # Dropped without this, the stack would end the loop before what runs in it, and wait for it for ever.
        self._dropped = finalize(self, _close_beside, self._stack)
        self._dropped.atexit = False  # see _watch
        _close_at_exit(self)
        return self

    def close(self) -> None:
        """End; a second time does nothing."""
        self._portal = None
        if self._dropped is not None:
            self._dropped.detach()
        self._stack.close()

    def _wait(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._portal is None:
            raise InvalidRequest("the memory is not open: use it within `with`, or call open() first")

        async def wait() -> T:
            return await work()

        return self._portal.call(wait)

    add = _waiting(AsyncMemory.add)
    add_many = _waiting(AsyncMemory.add_many)
    search = _waiting(AsyncMemory.search)
    get = _waiting(AsyncMemory.get)
    list = _stepping(AsyncMemory.list)
    update = _waiting(AsyncMemory.update)
    delete = _waiting(AsyncMemory.delete)
    remember = _waiting(AsyncMemory.remember)
    record_use = _waiting(AsyncMemory.record_use)
    record_tool_calls = _waiting(AsyncMemory.record_tool_calls)
    tool_guidelines = _waiting(AsyncMemory.tool_guidelines)
    export = _stepping(AsyncMemory.export)
    import_lines = _waiting(AsyncMemory.import_lines)
    usage = _waiting(AsyncMemory.usage)
    workspaces = _stepping(AsyncMemory.workspaces)


@contextmanager
def _start_loop() -> Iterator["BlockingPortal"]:
    """An event loop in a thread, and the way into it."""
    import anyio  # noqa: PLC0415 - so that importing this package is quick
    from anyio.from_thread import BlockingPortal  # noqa: PLC0415

    started: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    thread = threading.Thread(target=anyio.run, args=(serve,), name="reme-cloud")
    thread.start()
    portal = started.result()
    try:
        yield portal
    finally:
        portal.call(portal.stop)
        thread.join()


def _close_beside(stack: ExitStack) -> None:
    """Close in a thread of its own: what is dropped may be so in any thread, the one of the loop among them."""
    threading.Thread(target=stack.close, name="reme-cloud-close").start()


_opened: "WeakSet[Memory]" = WeakSet()
_watcher = Lock()


def _close_at_exit(memory: "Memory") -> None:
    """Have a memory closed when the program ends; its threads would wait for ever for what nobody asks any more."""
    _opened.add(memory)
    if _watcher.acquire(blocking=False):  # kept: one thread watches for all
        threading.Thread(target=_watch, name="reme-cloud-exit", daemon=True).start()


def _watch() -> None:
    # Functions of atexit run too late: the interpreter waits for all threads before it calls them.
    threading.main_thread().join()
    for memory in list(_opened):
        memory.close()
