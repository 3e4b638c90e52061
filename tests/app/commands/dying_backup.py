"""`reme ARGUMENTS…` that kills itself at a call of an object store: `python -m … METHOD NUMBER ARGUMENTS…`."""

import os
import signal
import sys
from typing import Any

from app.backends.objects.local import LocalObjectStore
from app.backends.postgres.copying import PostgresCopying
from app.backends.sqlite.copying import SqliteCopying
from app.commands.main import run

CLASSES: dict[str, Any] = {
    "put": LocalObjectStore,
    "read": LocalObjectStore,
    "read_receipts": SqliteCopying,
    "put_memories": PostgresCopying,
    "put_jobs": PostgresCopying,
}


def main() -> None:
    """Work, and die."""
    method, number, *arguments = sys.argv[1:]
    owner, calls = CLASSES[method], 0
    wanted = getattr(owner, method)

    def call(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = wanted(*args, **named)
        if calls == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, method, call)
    run(arguments)


if __name__ == "__main__":
    main()
