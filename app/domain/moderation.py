"""What content moderation says of a text."""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import ModelError


class TextSource(StrEnum):
    """Whose words a text is: a caller's, or a model's answer."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found in a text: a label such as "violent_weapons", and a confidence of 0 to 100, if told."""

    label: str
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a text may be kept, and what was found in it; an allowed text may have findings of a low risk."""

    allowed: bool
    findings: tuple[Finding, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the findings, once each."""
        return tuple(dict.fromkeys(finding.label for finding in self.findings))


ALLOWED = Verdict(allowed=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A verdict for each text, None where `failure` says why there is none; `calls` is what the provider answered."""

    verdicts: tuple[Verdict | None, ...]
    calls: int = 0
    failure: ModelError | None = None
