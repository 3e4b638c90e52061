"""Content moderation: texts are judged before anything is made of them or written, each once while it is remembered."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from threading import Lock
from time import monotonic

from app.domain.access import Principal
from app.domain.memory import Json, MemoryDraft, MemoryPatch, Scope
from app.domain.moderation import Judged, TextSource, Verdict
from app.errors import ContentRefused, ModelError, ModerationUnavailable, Refusal
from app.ports import Clock, Meter, Moderator
from app.service.metering import record_of
from app.service.turns import Turn

OPERATION = "moderate"
"""The meter's name for it."""
REMEMBERED_S = 3600.0
"""Ours: a change of the provider's word lists holds for a text that was judged before within an hour."""
SHOWN_REFUSALS = 20
ALLOW, REFUSE, UNJUDGED, KNOWN = "allowed", "refused", "unjudged", "known"
"""What became of a text; `known` was judged before, and is one of the first two as well."""

log = logging.getLogger("reme.moderation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A text that somebody handed in, and where it stood, such as "memory 2"."""

    place: str
    text: str


class Moderation:
    """Has texts judged and refuses what may not be kept. May be used from any thread.

    What nobody can judge is refused too, or let pass with `allow_unjudged`. Verdicts are remembered for an hour by a
    hash of the text, the latest `entries` of them; texts are not kept. Where no moderator is, nothing is done.
    """

    def __init__(
        self,
        moderator: Moderator,
        *,
        meter: Meter,
        clock: Clock,
        allow_unjudged: bool = False,
        entries: int = 10_000,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._moderator = moderator
        self._meter = meter
        self._clock = clock
        self._allow_unjudged = allow_unjudged
        self._entries = entries
        self._seconds = seconds
        self._lock = Lock()
        self._verdicts: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many texts of this process ended how: by "allowed", "refused", "unjudged" and "known"."""
        return {outcome: self._counts[outcome] for outcome in (ALLOW, REFUSE, UNJUDGED, KNOWN)}

    def check(
        self,
        scope: Scope,
        passages: Iterable[Passage],
        *,
        source: TextSource = TextSource.INPUT,
        key_id: str = "",
    ) -> None:
        """Return where all texts may be kept.

        Raises `ContentRefused`, which names the places and labels of those that may not, or `ModerationUnavailable`.
        """
        name = self._moderator.name_of(source)
        if not name:
            return
        passages = [passage for passage in passages if passage.text.strip()]
        if not passages:
            return
        keys = [_hash(name, passage.text) for passage in passages]
        known = self._recall(keys)
        missing = {key: passage.text for key, passage in zip(keys, passages, strict=True) if key not in known}
        judged = self._judge(scope, name, list(missing.values()), source)
        found = known | {
            key: verdict for key, verdict in zip(missing, judged.verdicts, strict=True) if verdict is not None
        }
        self._keep({key: verdict for key, verdict in found.items() if key in missing})
        self._count(found, keys, known)
        refusals = [
            Refusal(place=passage.place, labels=found[key].labels)
            for key, passage in zip(keys, passages, strict=True)
            if key in found and not found[key].allowed
        ]
        if refusals:
            for refusal in refusals:
                _audit(scope, name, "refused", key_id, place=refusal.place, labels=list(refusal.labels))
            raise ContentRefused(_tell(refusals, len(passages)), refusals=tuple(refusals))
        if judged.failure is not None and len(found) < len(set(keys)):
            self._settle(scope, name, key_id, judged.failure, unjudged=len(set(keys)) - len(found))

    def close(self) -> None:
        """End the calls under way."""
        self._moderator.close()

    def _judge(self, scope: Scope, name: str, texts: Sequence[str], source: TextSource) -> Judged:
        if not texts:
            return Judged(verdicts=())
        judged = self._moderator.judge(texts, source=source)
        if judged.calls:
            record = record_of(scope, OPERATION, now_ms=self._clock.now_ms(), items=len(texts), model=name)
            self._meter.record([replace(record, calls=judged.calls)])
        return judged

    def _settle(self, scope: Scope, name: str, key_id: str, failure: ModelError, *, unjudged: int) -> None:
        """Let what nobody judged pass, or raise `ModerationUnavailable`."""
        outcome = "passed unjudged" if self._allow_unjudged else "refused unjudged"
        _audit(scope, name, outcome, key_id, texts=unjudged, reason=failure.slug)
        if not self._allow_unjudged:
            raise ModerationUnavailable(
                f"content moderation cannot judge the text, so nothing was kept ({failure.message})"
            ) from failure

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Verdict]:
        oldest = self._seconds() - REMEMBERED_S
        known = {}
        with self._lock:
            for key in keys:
                at, verdict = self._verdicts.get(key, (0.0, None))
                if verdict is not None and at >= oldest:
                    self._verdicts.move_to_end(key)
                    known[key] = verdict
        return known

    def _keep(self, verdicts: Mapping[bytes, Verdict]) -> None:
        now_s = self._seconds()
        with self._lock:
            for key, verdict in verdicts.items():
                self._verdicts[key] = (now_s, verdict)
                self._verdicts.move_to_end(key)
            while len(self._verdicts) > self._entries:
                self._verdicts.popitem(last=False)

    def _count(self, found: Mapping[bytes, Verdict], keys: Sequence[bytes], known: Mapping[bytes, Verdict]) -> None:
        with self._lock:
            for key in keys:
                verdict = found.get(key)
                outcome = UNJUDGED if verdict is None else ALLOW if verdict.allowed else REFUSE
                self._counts.update([outcome, KNOWN] if key in known else [outcome])


def check_passages(
    moderation: Moderation | None, principal: Principal, scope: Scope, passages: Iterable[Passage]
) -> None:
    """Return where all texts that a principal handed in may be kept, or where there is no moderation.

    Raises as `Moderation.check`.
    """
    if moderation is not None:
        moderation.check(scope, passages, key_id=principal.key_id)


def passages_of(drafts: Sequence[MemoryDraft]) -> Iterator[Passage]:
    """A passage for each memory: all of its texts, one on a line; ids, paths and the user's name are left out."""
    count = len(drafts)
    return (
        Passage(
            place="the memory" if count == 1 else f"memory {number}",
            text=join_texts(draft.content, draft.when_to_use, draft.author, draft.tags, draft.metadata, draft.details),
        )
        for number, draft in enumerate(drafts, start=1)
    )


def passage_of_patch(patch: MemoryPatch) -> Passage:
    """The passage of what a patch changes."""
    return Passage(
        place="the memory",
        text=join_texts(patch.content, patch.when_to_use, patch.author, patch.tags, patch.metadata, patch.details),
    )


def passages_of_turns(conversations: Sequence[Sequence[Turn]]) -> Iterator[Passage]:
    """A passage for each turn of conversations: all that was said in it, and the name of who said it."""
    return (
        Passage(
            place=f"message {turn.number}" + (f" of conversation {number}" if len(conversations) > 1 else ""),
            text=join_texts(turn.message.content, turn.message.name),
        )
        for number, turns in enumerate(conversations, start=1)
        for turn in turns
    )


def passages_of_values(place: str, values: Iterable[Json]) -> Iterator[Passage]:
    """A passage for each value: its texts, the names of fields among them, one on a line."""
    return (Passage(place=f"{place} {number}", text=join_texts(value)) for number, value in enumerate(values, start=1))


def join_texts(*values: object) -> str:
    """All texts within values, the names of fields among them, one on a line."""
    return "\n".join(text for value in values for text in _texts(value) if text.strip())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _hash(name: str, text: str) -> bytes:
    return blake2b(f"{name}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _tell(refusals: Sequence[Refusal], count: int) -> str:
    shown = "; ".join(f"{refusal.place} ({refusal.reason})" for refusal in refusals[:SHOWN_REFUSALS])
    rest = f"; and {len(refusals) - SHOWN_REFUSALS:,} more" if len(refusals) > SHOWN_REFUSALS else ""
    if count == 1:
        return f"content moderation refuses {shown}, so nothing was kept: change the text, or leave it out"
    return (
        f"content moderation refuses {len(refusals):,} of {count:,} texts, so nothing was kept: {shown}{rest}. "
        "Change these, or leave them out"
    )


def _audit(scope: Scope, name: str, outcome: str, key_id: str, **facts: object) -> None:
    """A line of who was refused what and why; the text is in none."""
    log.warning(
        "content moderation: %s",
        outcome,
        extra={
            "event": "content_moderation",
            "outcome": outcome,
            "moderator": name,
            "tenant_id": scope.tenant_id,
            "workspace_id": scope.workspace_id,
            "key_id": key_id,
            **facts,
        },
    )
