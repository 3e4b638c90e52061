"""What can go wrong while sizing and pricing.

SizingError
├── InvalidWorkload      a field of the workload is unusable
├── ImpossiblePlan       an override asks for something that cannot work
├── CatalogueError       a price file is unusable
├── BillError            a bill cannot be read
└── MissingExtra         an optional library is not installed

Every message names the field, the value and what would be valid. ``exit_code`` is what a command
returns: 2 for bad input, 1 for a failure that is not the user's.
"""

from collections.abc import Iterable


class SizingError(Exception):
    """Sizing or pricing failed."""

    exit_code = 2


class InvalidWorkload(SizingError):
    """A field of the workload is unusable."""

    def __init__(self, field: str, value: object, valid: str) -> None:
        self.field = field
        self.value = value
        self.valid = valid
        super().__init__(f"{field} = {shorten(value)} is not usable. Valid: {valid}.")


class ImpossiblePlan(SizingError):
    """An override asks for something that cannot work."""

    def __init__(self, component: str, candidate: str, reason: str, remedy: str) -> None:
        self.component = component
        self.candidate = candidate
        super().__init__(f"{component} = {candidate!r} cannot work here: {reason}. {remedy}")


class CatalogueError(SizingError):
    """A price file is unusable."""

    def __init__(self, file: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{file} is not usable as a price file:\n" + "\n".join(f"  - {p}" for p in self.problems))


class BillError(SizingError):
    """A bill cannot be read."""


class MissingExtra(SizingError):
    """An optional library is not installed."""

    exit_code = 1

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra {extra!r}. Install it: pip install 'reme-cloud[{extra}]'")


def shorten(value: object, limit: int = 80) -> str:
    """Show a value in an error message without flooding the terminal."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
