"""What a tool's calls show: figures, and in words what one should know before the next call.

The words hold rounded figures only, so that they change when what they say changes and not with every call: each
change of a memory's text keeps the earlier one as a revision. The exact figures stand in the statistics.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import floor, log10

from app.domain.conversation import Trust
from app.domain.memory import Json, JsonObject
from app.service.quarantine import find_reason
from app.service.tool_calls import Call, read_error, write_input

SUMMARY_CHARACTERS = 2_000
EXAMPLE_CHARACTERS = 200
ERRORS = 3
PARAMETERS = 8
RELIABLE, DOUBTFUL = 0.9, 0.5
"""Success rates from which a tool counts as reliable, and below which as one that mostly fails."""
SLOW_S = 10.0
COSTLY_TOKENS = 2_000
MANY = (100, 50, 20, 10, 5, 2, 1)
USUAL, UNUSUAL = 0.8, 0.5
"""A parameter belongs to success if it is in so many successes, and in at most so many failures."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_KINDS = {bool: "true/false", int: "number", float: "number", str: "text", list: "list", tuple: "list", dict: "object"}


def count(calls: Sequence[Call], *, total: int) -> JsonObject:
    """The exact figures of the kept calls; `total` is how many there ever were. Times in seconds."""
    successes = [call for call in calls if call.get("success")]
    return {
        "total_calls": total,
        "calls": len(calls),
        "successes": len(successes),
        "success_rate": round(len(successes) / len(calls), 4) if calls else 0.0,
        "average_time_cost": round(_average(calls, "time_cost"), 4),
        "average_token_cost": round(_average(calls, "token_cost"), 2),
        "errors": [{"message": message, "count": times} for message, times in _rank_errors(calls)],
    }


def summarise(tool_name: str, calls: Sequence[Call]) -> str:
    """The summary of a tool's calls in words, at most 2,000 characters; the same calls give the same words."""
    successes = [call for call in calls if call.get("success")]
    failures = [call for call in calls if not call.get("success")]
    rate = len(successes) / len(calls) if calls else 0.0
    lines = [
        f"{tool_name}: {_say_rate(rate)}, seen in {_say_many(len(calls))}.",
        f"A call takes {_say_time(_average(calls, 'time_cost'))} and {_say_tokens(_average(calls, 'token_cost'))}.",
    ]
    errors = [message for message, _ in _rank_errors(calls)]
    if errors:
        lines.append(f"Commonest errors: {'; '.join(errors)}.")
    parameters = list(_compare_parameters(successes, failures))
    if parameters:
        lines.append(f"Parameters: {'; '.join(parameters)}.")
    for label, chosen in (("worked", successes), ("failed", failures)):
        example = _choose_example(chosen)
        if example:
            lines.append(f"Example that {label}: {example}")
    lines.append(f"Advice: {' '.join(_advise(rate, calls, parameters))}")
    text = "\n".join(lines)
    return text if len(text) <= SUMMARY_CHARACTERS else text[: SUMMARY_CHARACTERS - 1] + "…"


def _say_rate(rate: float) -> str:
    if rate in {0.0, 1.0}:
        return "all calls succeed" if rate else "all calls fail"
    return f"about {min(9, max(1, round(rate * 10)))} of 10 calls succeed"


def _say_many(calls: int) -> str:
    step = next((step for step in MANY if calls >= step), 0)
    return f"{step} or more calls" if step > 1 else "1 call"


def _say_time(seconds: float) -> str:
    return f"about {_round(seconds):g} s" if seconds >= 0.05 else "no noticeable time"


def _say_tokens(tokens: float) -> str:
    return f"about {_round(tokens):g} tokens" if tokens >= 1 else "no tokens"


def _round(value: float) -> float:
    """To one significant digit."""
    return round(value, -floor(log10(abs(value)))) if value else 0.0


def _average(calls: Sequence[Call], name: str) -> float:
    values = [value for call in calls if isinstance(value := call.get(name), int | float)]
    return sum(values) / len(values) if values else 0.0


def _rank_errors(calls: Sequence[Call]) -> list[tuple[str, int]]:
    """The commonest error messages; those that differ only in numbers count as one, told by the first in order.

    One that reads like an order to the agent is left out: whoever feeds a tool would speak to all that call it.
    """
    failures = (call for call in calls if not call.get("success"))
    told_by = [str(call.get("summary") or read_error(str(call.get("output", "")))) for call in failures]
    messages = [message for message in told_by if not find_reason(message, Trust.TOOL)]
    groups: Counter[str] = Counter(_NUMBER.sub("#", message) for message in messages)
    told = {group: min(message for message in messages if _NUMBER.sub("#", message) == group) for group in groups}
    ranked = sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    return [(told[group].rstrip(". "), times) for group, times in ranked[:ERRORS]]


def _compare_parameters(successes: Sequence[Call], failures: Sequence[Call]) -> Iterator[str]:
    """What the inputs of successes have in common, and how those of failures differ."""
    good, bad = _read_inputs(successes), _read_inputs(failures)
    usual = [name for name in _names(good) if _share(good, name) >= USUAL]
    if usual:
        yield f"successes give {', '.join(usual[:PARAMETERS])}"
    if not good or not bad:
        return
    missing = [name for name in usual if _share(bad, name) <= UNUSUAL]
    if missing:
        yield f"failures often lack {', '.join(missing[:PARAMETERS])}"
    strange = [name for name in _names(bad) if not _share(good, name)]
    if strange:
        yield f"only failures give {', '.join(strange[:PARAMETERS])}"
    for name in _names(good):
        wanted, found = _kinds(good, name), _kinds(bad, name)
        if len(wanted) == 1 and found and not wanted & found:
            yield f"{name} is a {min(wanted)} in successes, a {min(found)} in failures"


def _read_inputs(calls: Sequence[Call]) -> list[Mapping[str, Json]]:
    return [given for call in calls if isinstance(given := call.get("input"), Mapping)]


def _names(inputs: Sequence[Mapping[str, Json]]) -> list[str]:
    return sorted({name for given in inputs for name in given})


def _share(inputs: Sequence[Mapping[str, Json]], name: str) -> float:
    return sum(name in given for given in inputs) / len(inputs)


def _kinds(inputs: Sequence[Mapping[str, Json]], name: str) -> set[str]:
    return {_KINDS.get(type(given[name]), "nothing") for given in inputs if name in given}


def _choose_example(calls: Sequence[Call]) -> str:
    """The shortest input: the plainest, and one that stays the same while others come and go."""
    written = sorted((write_input(call.get("input", "")) for call in calls), key=lambda text: (len(text), text))
    sound = (text for text in written if text not in {"", "{}"} and not find_reason(text, Trust.TOOL))
    example = next(sound, "")
    return example if len(example) <= EXAMPLE_CHARACTERS else example[: EXAMPLE_CHARACTERS - 1] + "…"


def _advise(rate: float, calls: Sequence[Call], parameters: Sequence[str]) -> Iterator[str]:
    if rate >= RELIABLE:
        yield "Reliable; use it as in the example."
    elif rate >= DOUBTFUL:
        yield "Check every result, and be ready to call again."
    else:
        yield "Fails more often than not: check the parameters first, or take another tool."
    if any(finding.startswith(("failures", "only")) or " in successes" in finding for finding in parameters):
        yield "Give the parameters that successes give."
    if _average(calls, "time_cost") >= SLOW_S:
        yield "It is slow: do not wait for it in a conversation."
    if _average(calls, "token_cost") >= COSTLY_TOKENS:
        yield "It costs many tokens: ask for less at a time."
