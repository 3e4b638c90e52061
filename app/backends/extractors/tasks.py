"""What an agent's run teaches: what was asked, what was done, how it ended, and how errors were overcome."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.backends.extractors.rules import marker_rules
from app.backends.extractors.sentences import condense, fold
from app.domain.conversation import Message, Trajectory

WORKED_FROM = 0.5
"""A run that was judged lower failed; one that nobody judged counts as worked."""
LESSON_CHARACTERS = 2_000
TASK_CHARACTERS = 300
STEP_CHARACTERS = 160
RESULT_CHARACTERS = 500
ERROR_CHARACTERS = 200
FIX_CHARACTERS = 400
LINE_CHARACTERS = 1_000
"""What is read of a line of a tool's output: enough for a message, too little for a file in one line to delay."""
STEPS = 10
"""The first and the last five of a longer run: how it began, and what led to its end."""
ERRORS = 3

_CJK = re.compile(r"[\u4e00-\u9fff]")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|good (?:morning|afternoon|evening)|please|你好|您好|请|麻烦)(?: there)?[,.!:，。！：]*\s*)+",
    re.IGNORECASE,
)
_LABELS = {
    "en": {
        "worked": "What worked",
        "failed": "What did not work",
        "unjudged": "not judged",
        "steps": "Steps",
        "result": "Result",
        "errors": "Errors overcome",
        "open": "Errors not overcome",
        "more": "({} more)",
        "fix": "Overcome by",
    },
    "zh": {
        "worked": "有效的做法",
        "failed": "无效的做法",
        "unjudged": "未评分",
        "steps": "步骤",
        "result": "结果",
        "errors": "已解决的错误",
        "open": "未解决的错误",
        "more": "（另有 {} 步）",
        "fix": "解决办法",
    },
}
_TOOLS = frozenset({"tool", "function"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What to remember of a run. `rule` is "run" for the whole, "error" for one that was overcome.

    Lines are the numbers of the messages, from 1.
    """

    rule: str
    when_to_use: str
    content: str
    worked: bool
    start_line: int
    end_line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Error:
    line: str
    at: int
    fix: str = ""
    fixed_at: int = 0


def find_lessons(trajectory: Trajectory) -> Iterator[Lesson]:
    """The lesson of a run, and one for each error that was overcome; none for a run in which nothing was done."""
    messages = trajectory.messages
    asked = next((number for number, message in enumerate(messages, start=1) if _is(message, "user")), 0)
    task = _read_task(messages[asked - 1].content) if asked else trajectory.task_id.strip()
    done = [number for number, message in enumerate(messages, start=1) if number > asked and _acts(message)]
    if not task or not done:
        return
    worked = _worked(trajectory)
    language = "zh" if _CJK.search(task) else "en"
    errors = _find_errors(messages, worked=worked)
    yield Lesson(
        rule="run",
        when_to_use=task,
        content=_describe(trajectory, done, errors, language),
        worked=worked,
        start_line=asked or 1,
        end_line=len(messages),
    )
    for error in errors:
        if error.fix:
            yield Lesson(
                rule="error",
                when_to_use=error.line,
                content=condense(f"{_LABELS[language]['fix']}: {error.fix}", LESSON_CHARACTERS),
                worked=True,
                start_line=error.at,
                end_line=error.fixed_at,
            )


def _describe(trajectory: Trajectory, done: Sequence[int], errors: Sequence[_Error], language: str) -> str:
    """The lesson in at most 2,000 characters; of too much the last steps are cut, not the errors or the result."""
    labels = _LABELS[language]
    score = trajectory.score
    heading = labels["worked" if _worked(trajectory) else "failed"]
    lines = [f"{heading} ({labels['unjudged'] if score is None else f'{score:.2f}'}):"]
    last = trajectory.messages[done[-1] - 1]
    result = condense(_without_code(last.content), RESULT_CHARACTERS) if _is(last, "assistant") else ""
    steps = done[:-1] if result else done
    for label, chosen in (
        ("errors", [f"- {error.line} → {condense(error.fix, STEP_CHARACTERS)}" for error in errors if error.fix]),
        ("open", [f"- {error.line}" for error in errors if not error.fix]),
    ):
        if chosen:
            lines += [f"{labels[label]}:", *chosen]
    if steps:
        lines.append(f"{labels['steps']}:")
        shown = [f"{place}. {_step(trajectory.messages[number - 1])}" for place, number in enumerate(steps, start=1)]
        if len(shown) > STEPS:
            left_out = labels["more"].format(len(shown) - STEPS)
            shown = [*shown[: STEPS // 2], left_out, *shown[-STEPS // 2 :]]
        lines += shown
    tail = f"\n{labels['result']}: {result}" if result else ""
    body = "\n".join(lines)
    room = LESSON_CHARACTERS - len(tail)
    return (body if len(body) <= room else body[: room - 1].rstrip() + "…") + tail


def _worked(trajectory: Trajectory) -> bool:
    return trajectory.score is None or trajectory.score >= WORKED_FROM


def _find_errors(messages: Sequence[Message], *, worked: bool) -> list[_Error]:
    """The errors that were met, each line once, with what the agent did before things went well again."""
    found: dict[str, _Error] = {}
    for at, message in enumerate(messages, start=1):
        if not (_acts(message) or _is(message, "user")) or len(found) >= ERRORS:
            continue
        line = _error_line(message)
        if line and line not in found:
            found[line] = _find_fix(messages, _Error(line=line, at=at), worked=worked)
    return list(found.values())


def _find_fix(messages: Sequence[Message], error: _Error, *, worked: bool) -> _Error:
    """The first step after an error that a success follows: a tool that runs well, or a word that says so."""
    fix, fixed_at = "", 0
    for number, message in enumerate(messages[error.at :], start=error.at + 1):
        if _is(message, "assistant") and message.content.strip() and not fix:
            fix, fixed_at = condense(_without_code(message.content), FIX_CHARACTERS), number
        failed = bool(_error_line(message))
        if fix and number > fixed_at and _is(message, *_TOOLS):
            if not failed:
                return _Error(line=error.line, at=error.at, fix=fix, fixed_at=number)
            fix = ""  # that did not help: the next step may
        elif fix and not failed and not _is(message, *_TOOLS) and _marks("success", message.content):
            return _Error(line=error.line, at=error.at, fix=fix, fixed_at=number)
    return _Error(line=error.line, at=error.at, fix=fix, fixed_at=fixed_at) if fix and worked else error


def _error_line(message: Message) -> str:
    """The line of a message that names its error: the last one in a tool's output, where tracebacks end."""
    if _is(message, "assistant"):
        return ""  # an agent talks about errors; that they happened is in the tools' outputs and the user's words
    lines = (line.strip()[:LINE_CHARACTERS] for line in fold(message.content).splitlines())
    named = [line for line in lines if line and _marks("error", line)]
    return condense(named[-1], ERROR_CHARACTERS) if named else ""


def _marks(kind: str, text: str) -> bool:
    return any(rule.marks == kind and rule.pattern.search(text) for rule in marker_rules())


def _read_task(content: str) -> str:
    return condense(_GREETING.sub("", _without_code(content).strip()), TASK_CHARACTERS)


def _step(message: Message) -> str:
    said = condense(_without_code(message.content), STEP_CHARACTERS)
    if _is(message, *_TOOLS):
        return f"[{message.name or 'tool'}] {_error_line(message) or said}"
    return said


def _without_code(text: str) -> str:
    """The text with each block of code replaced by its first line: enough to know it again."""

    def shorten(found: re.Match[str]) -> str:
        lines = [line.strip() for line in found[0].strip("`\n").splitlines() if line.strip()]
        code = lines[1:] if lines and re.fullmatch(r"\w{0,12}", lines[0]) and len(lines) > 1 else lines
        return f"`{code[0]}{' …' if len(code) > 1 else ''}`" if code else ""

    return _CODE.sub(shorten, text)


def _acts(message: Message) -> bool:
    return _is(message, "assistant", *_TOOLS) and bool(message.content.strip())


def _is(message: Message, *roles: str) -> bool:
    return message.role in roles
