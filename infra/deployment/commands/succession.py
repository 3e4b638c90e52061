"""The stacks of an environment one after the other, with a stop at the first that fails."""

from collections.abc import Callable, Sequence

from infra.deployment.commands.options import say


def do_each(names: Sequence[str], act: Callable[[str], None]) -> None:
    """Act on each stack; where one fails, say what is done and what is not, and raise what it raised."""
    for place, name in enumerate(names):
        if len(names) > 1:
            say(f"{name}: {place + 1} of {len(names)}")
        try:
            act(name)
        except BaseException:
            if len(names) > 1:
                done, rest = ", ".join(names[:place]) or "none", ", ".join(names[place + 1 :]) or "none"
                say(f"stopped. Done: {done}; failed: {name}; not touched: {rest}")
            raise
