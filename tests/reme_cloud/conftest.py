"""The same memory four ways: in this process or behind a server, awaited or waited for."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import anyio.to_thread
import pytest

import reme_cloud
from tests.app.mcp.serving import Served, serving

Steps: TypeAlias = Callable[[reme_cloud.AsyncMemory], Awaitable[None]]
Use: TypeAlias = Callable[[Steps], None]

WAYS = ("embedded", "remote", "embedded, blocking", "remote, blocking")
ITERATORS = ("list", "export", "workspaces")
HASHING = {"embedding.backend": "hashing"}

_numbers = count()


class Awaited:
    """A blocking memory behind the interface of the awaited one, so that one suite holds for both."""

    def __init__(self, memory: reme_cloud.Memory) -> None:
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._memory, name)

        async def wait(*arguments: Any, **named: Any) -> Any:
            return await anyio.to_thread.run_sync(lambda: method(*arguments, **named))

        async def step(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
            items = method(*arguments, **named)
            end = object()
            while (item := await anyio.to_thread.run_sync(next, items, end)) is not end:
                yield item

        return step if name in ITERATORS else wait


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server, without keys."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(params=WAYS)
def use(request: pytest.FixtureRequest, tmp_path: Path, served: Served) -> Use:
    """Runs steps with a memory in a workspace of its own."""
    way = str(request.param)
    workspace = f"contract-{next(_numbers)}"
    memory = (
        reme_cloud.connect(served.url, workspace=workspace)
        if way.startswith("remote")
        else reme_cloud.embedded(tmp_path, workspace=workspace, settings=HASHING)
    )

    def run(steps: Steps) -> None:
        async def awaited() -> None:
            async with memory:
                await steps(memory)

        if "blocking" not in way:
            anyio.run(awaited)
            return
        with reme_cloud.Memory(memory) as blocking:
            anyio.run(steps, cast(reme_cloud.AsyncMemory, Awaited(blocking)))

    return run
