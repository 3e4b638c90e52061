"""No content moderation: every text may be kept."""

from collections.abc import Sequence

from app.domain.moderation import ALLOWED, Judged, TextSource


class Unmoderated:
    """The `Moderator` where none is configured; it asks nobody."""

    def name_of(self, source: TextSource) -> str:
        """Nobody."""
        del source
        return ""

    def judge(self, texts: Sequence[str], *, source: TextSource) -> Judged:
        """Allow all."""
        del source
        return Judged(verdicts=(ALLOWED,) * len(texts))

    def close(self) -> None:
        """Nothing to close."""
