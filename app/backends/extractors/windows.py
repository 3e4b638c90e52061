"""What a model is shown of conversations: numbered lines, in windows of so many tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from app.domain.conversation import Trajectory
from app.domain.fencing import write_day
from app.domain.memory import Json

ASCII_PER_TOKEN = 4
"""OpenAI's rule of thumb for English: https://help.openai.com/en/articles/4936856 (read 2026-11). Any other character
counts as one token, which is high for Chinese."""
LINE_TOKENS = 24
"""What stands around a line's text: its number, who spoke, the date. Ours, generous."""
CONTEXT_CHARACTERS = 600
"""Of what the assistant says between a person's lines: enough to know what a "yes" answers."""
SYSTEM_ROLES = frozenset({"system", "developer"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A message, or a piece of a long one, and its number through the messages of all trajectories of a call."""

    number: int
    role: str
    text: str
    said_ms: int | None

    @property
    def tokens(self) -> int:
        """About how many tokens it is."""
        return LINE_TOKENS + count_tokens(self.text)

    def show(self) -> Json:
        """The line as a model is shown it."""
        day = {} if self.said_ms is None else {"date": write_day(self.said_ms)}
        return {"line": self.number, "by": self.role, **day, "text": self.text}


def count_tokens(text: str) -> int:
    """About how many tokens a text is."""
    plain = sum(map(str.isascii, text))
    return ceil(plain / ASCII_PER_TOKEN) + len(text) - plain


def number_lines(trajectories: Sequence[Trajectory]) -> Iterator[list[Line]]:
    """The messages of each trajectory that say something, but for an application's instructions."""
    before = 0
    for trajectory in trajectories:
        yield [
            Line(number=number, role=message.role, text=message.content.strip(), said_ms=message.created_ms)
            for number, message in enumerate(trajectory.messages, start=before + 1)
            if message.role not in SYSTEM_ROLES and message.content.strip()
        ]
        before += len(trajectory.messages)


def split_windows(lines: Sequence[Line], most_tokens: int) -> list[list[Line]]:
    """What is said in a conversation, whole, in windows of about `most_tokens`; each holds a line of the user.

    Outputs of tools are left out, and of what the assistant says the beginning is kept.
    """
    windows: list[list[Line]] = []
    window: list[Line] = []
    left = most_tokens
    for line in _pieces(lines, most_tokens):
        if line.tokens > left and window:
            windows.append(window)
            window, left = [], most_tokens
        window.append(line)
        left -= line.tokens
    windows.append(window)
    return [window for window in windows if any(line.role == "user" for line in window)]


def fit(lines: Sequence[Line], most_tokens: int) -> list[Line]:
    """The lines of a run, of about `most_tokens` together: each long one cut in its middle, the middle ones left out.

    Shorter lines leave their share to the longer ones.
    """
    most_lines = max(2, most_tokens // (2 * LINE_TOKENS))
    if len(lines) > most_lines:
        half = most_lines // 2
        lines = [*lines[:half], *lines[-half:]]
    room = most_tokens - LINE_TOKENS * len(lines)
    share = room
    for place, tokens in enumerate(sorted(count_tokens(line.text) for line in lines)):
        share = max(1, room // (len(lines) - place))
        if tokens > share:
            break
        room -= tokens
    return [_shorten(line, share) for line in lines]


def _pieces(lines: Sequence[Line], most_tokens: int) -> Iterator[Line]:
    for line in lines:
        if line.role == "user":
            size = most_tokens * ASCII_PER_TOKEN // 2 if line.text.isascii() else most_tokens // 2
            for start in range(0, len(line.text), max(1, size)):
                yield Line(
                    number=line.number, role=line.role, text=line.text[start : start + size], said_ms=line.said_ms
                )
        elif line.role == "assistant":
            text = line.text if len(line.text) <= CONTEXT_CHARACTERS else f"{line.text[: CONTEXT_CHARACTERS - 1]}…"
            yield Line(number=line.number, role=line.role, text=text, said_ms=line.said_ms)


def _shorten(line: Line, most_tokens: int) -> Line:
    tokens = count_tokens(line.text)
    if tokens <= most_tokens:
        return line
    kept = len(line.text) * most_tokens // tokens
    tail = kept // 3
    text = f"{line.text[: kept - tail]}…{line.text[len(line.text) - tail :]}"
    return Line(number=line.number, role=line.role, text=text, said_ms=line.said_ms)
