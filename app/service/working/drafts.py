"""Texts that are to be taken out of a conversation, known by their names before they are stored."""

from dataclasses import dataclass, field
from hashlib import sha256

from app.domain.memory import Scope
from app.domain.working import OffloadKind, identify, make_file_path
from app.service.limits import NAME_CHARACTERS


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A text to be stored, and what it was."""

    id: str
    kind: OffloadKind
    name: str
    sha256: str
    content: bytes = field(repr=False)

    @property
    def file_path(self) -> str:
        """The name by which it will be read."""
        return make_file_path(self.kind, self.id)

    @property
    def text(self) -> str:
        """The text."""
        return self.content.decode()

    @property
    def lines(self) -> int:
        """How many lines it has; a last one without an end counts."""
        return count_lines(self.content)


def draft_text(scope: Scope, kind: OffloadKind, name: str, text: str) -> Draft:
    """A text as it is to be stored in a workspace; the same text has the same id every time.

    A name is a tool's own for itself. NUL in it, which PostgreSQL cannot hold, gives way to U+FFFD for every store.
    """
    content = text.encode()
    digest = sha256(content).hexdigest()
    kept_name = name[:NAME_CHARACTERS].replace("\x00", "\ufffd")
    return Draft(id=identify(scope, kind, digest), kind=kind, name=kept_name, sha256=digest, content=content)


def count_lines(content: bytes) -> int:
    """The lines of a text in UTF-8."""
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
