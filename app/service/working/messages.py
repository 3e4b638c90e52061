"""Messages of a conversation as clients send them: checked, read, and which of them belong together.

A message is the JSON object that came, and what is not understood of it is left alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from app.domain.memory import Json, JsonObject
from app.errors import InvalidRequest
from app.service.turns import SYSTEM_ROLES, TOOL_ROLES

MOST_MESSAGES = 100_000
ROLE_CHARACTERS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """What a tool returned: the whole content of a message, or what a block of type "tool_result" holds.

    `place` is the number of the `block`, None for the whole content; `name` is the field that holds the value. `tool`
    is empty where nobody says which it was.
    """

    name: str
    value: Json = field(repr=False)
    tool: str
    block: JsonObject = field(default_factory=dict, repr=False)
    place: int | None = None


def check_messages(messages: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return messages that can be kept and given back as they came, or raise `InvalidRequest` naming the one."""
    if len(messages) > MOST_MESSAGES:
        raise InvalidRequest(f"{len(messages):,} messages are too many: send at most {MOST_MESSAGES:,}")
    for number, message in enumerate(messages, start=1):
        role = message.get("role")
        if not isinstance(role, str) or not 0 < len(role) <= ROLE_CHARACTERS:
            raise InvalidRequest(
                f"message {number} of {len(messages)} has no role: give a text of 1 to {ROLE_CHARACTERS} characters"
            )
        try:
            json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise InvalidRequest(
                f"message {number} of {len(messages)} has half of a surrogate pair, which is no character: "
                "send the text as valid UTF-8"
            ) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(
                f"message {number} of {len(messages)} cannot be written as JSON ({type(error).__name__}): "
                "use texts, finite numbers, lists and objects that are not nested too deeply"
            ) from None
    return tuple(messages)


def is_system(message: JsonObject) -> bool:
    """Whether it is an instruction, which always stays. AgentScope hands over what tools returned in this role too."""
    return message["role"] in SYSTEM_ROLES and not is_tool_output(message)


def is_tool_output(message: JsonObject) -> bool:
    """Whether it is what a tool returned: by its role, or by a block of type "tool_result" in whatever role."""
    return message["role"] in TOOL_ROLES or any(_is_result(block) for block in _read_blocks(message.get("content")))


def write_lines(messages: Sequence[JsonObject]) -> str:
    """Messages as one JSON object a line; reading each line gives them back."""
    return "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)


def find_outputs(messages: Sequence[JsonObject]) -> dict[int, tuple[Output, ...]]:
    """What tools returned, by the position of the message; of a message with blocks of results each of these."""
    called: dict[str, str] = {}
    found = {}
    for position, message in enumerate(messages):
        called.update(_read_calls(message))
        if is_tool_output(message):
            found[position] = tuple(_read_outputs(message, called))
    return found


def replace_output(message: JsonObject, output: Output, text: str) -> JsonObject:
    """The message with a text in the place of an output; all else stays, so that it still answers its calls."""
    if output.place is None:
        return {**message, "content": text}
    content = message.get("content")
    blocks: list[Json] = list(content) if isinstance(content, list | tuple) else []
    blocks[output.place] = {**output.block, output.name: text}
    return {**message, "content": blocks}


def read_text(value: Json) -> str:
    """The text of a message's content; of blocks their texts, and those of what tools returned."""
    if isinstance(value, str):
        return value
    texts = []
    for each in value if isinstance(value, list | tuple) else ():
        if isinstance(each, dict):
            inner = each.get(_name_value(each)) if _is_result(each) else each.get("text")
            texts.append(read_text(inner))
        elif isinstance(each, str):
            texts.append(each)
    return "\n".join(text for text in texts if text)


def list_calls(message: JsonObject) -> tuple[str, ...]:
    """The names of the tools that a message calls, in their order; empty for one that has no name."""
    return tuple(name for _, name in _read_calls(message))


def read_calls(message: JsonObject) -> Json:
    """The calls of tools as they stand in a message: its `tool_calls`, or its blocks of type "tool_use"."""
    return message.get("tool_calls") or [
        block for block in _read_blocks(message.get("content")) if block.get("type") == "tool_use"
    ]


def find_units(messages: Sequence[JsonObject]) -> list[list[int]]:
    """The positions of messages that stay or go together, in their order; instructions are in none.

    From a call of tools to the last answer to it is one unit; a tool's output that answers no known call belongs to
    what is before it.
    """
    depth = [0] * (len(messages) + 1)
    opened: dict[str, int] = {}
    before = -1
    for position, message in enumerate(messages):
        if is_system(message):
            continue
        answered = [opened[each] for each in _read_answers(message) if each in opened]
        if not answered and is_tool_output(message) and before >= 0:
            answered = [before]
        for begun in answered:
            depth[begun + 1] += 1
            depth[position + 1] -= 1
        opened.update((call_id, position) for call_id, _ in _read_calls(message))
        before = position
    units: list[list[int]] = []
    for position, inside in enumerate(accumulate(depth[:-1])):
        if is_system(messages[position]):
            continue
        if inside and units:
            units[-1].append(position)
        else:
            units.append([position])
    return units


def has_open_calls(messages: Sequence[JsonObject]) -> bool:
    """Whether a call is there that nothing answers yet."""
    open_ids: set[str] = set()
    for message in messages:
        open_ids |= {call_id for call_id, _ in _read_calls(message)}
        open_ids -= set(_read_answers(message))
    return bool(open_ids)


def _read_calls(message: JsonObject) -> Iterator[tuple[str, str]]:
    """Id and tool of each call: of `tool_calls`, or of blocks of type "tool_use"."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, Sequence) and not isinstance(calls, str) else ():
        match call:
            case {"id": str(call_id), "function": {"name": str(name)}} | {"id": str(call_id), "name": str(name)}:
                yield call_id, name
            case {"id": str(call_id)}:
                yield call_id, ""
    for block in _read_blocks(message.get("content")):
        match block:
            case {"type": "tool_use", "id": str(call_id)}:
                tool = block.get("name")
                yield call_id, tool if isinstance(tool, str) else ""


def _read_answers(message: JsonObject) -> Iterator[str]:
    """Ids of the calls that a message answers: its `tool_call_id`, or those of blocks of type "tool_result"."""
    answered = message.get("tool_call_id")
    if isinstance(answered, str) and answered:
        yield answered
    for block in _read_blocks(message.get("content")):
        match block:
            case {"type": "tool_result", "tool_use_id": str(call_id)} | {"type": "tool_result", "id": str(call_id)}:
                yield call_id


def _read_outputs(message: JsonObject, called: dict[str, str]) -> Iterator[Output]:
    content = message.get("content")
    results = [
        (place, block)
        for place, block in enumerate(content if isinstance(content, list | tuple) else ())
        if isinstance(block, dict) and _is_result(block)
    ]
    for place, block in results:
        answered = next(_read_answers({"content": [block]}), "")
        name, tool = _name_value(block), _choose_name(block, called.get(answered, ""))
        yield Output(name=name, value=block.get(name), tool=tool, block=block, place=place)
    if not results:
        answered = next(_read_answers(message), "")
        yield Output(name="content", value=content, tool=_choose_name(message, called.get(answered, "")))


def _choose_name(holder: JsonObject, called: str) -> str:
    own = holder.get("name")
    return own if isinstance(own, str) and own else called


def _is_result(block: JsonObject) -> bool:
    return block.get("type") == "tool_result"


def _name_value(result: JsonObject) -> str:
    """Where a block holds what a tool returned: "content" by Anthropic, "output" by AgentScope."""
    return "output" if "output" in result else "content"


def _read_blocks(content: Json) -> Iterator[JsonObject]:
    if isinstance(content, list | tuple):
        yield from (block for block in content if isinstance(block, dict))
