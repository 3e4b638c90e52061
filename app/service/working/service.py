"""Working memory: makes a conversation short enough for a model, and keeps what it takes out so that it can be read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.access import Permission, Principal
from app.domain.memory import JsonObject, Scope
from app.domain.query import Page
from app.domain.spending import Payer, charging
from app.domain.working import Offload, WorkingLimits, WorkingMode, WorkingPolicy, check_limits
from app.errors import InvalidRequest
from app.ports import Clock, LanguageModel, Meter, ObjectStore, WorkingStore
from app.service.authorisation import authorise
from app.service.limits import NAME_CHARACTERS, check_page, check_text
from app.service.metering import record_of
from app.service.moderation import Moderation, check_passages, passages_of_values
from app.service.working.compaction import compact
from app.service.working.compression import Goal, compress
from app.service.working.drafts import Draft
from app.service.working.maintenance import Maintained, maintain
from app.service.working.messages import check_messages
from app.service.working.offloads import Offloads
from app.service.working.patterns import Match, find_matches, slice_lines
from app.service.working.summaries import Summariser
from app.service.working.tokens import count_messages

OPERATION = "compress"
"""The name of a request in the meter and the ledger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortened:
    """A conversation that was made shorter, and what was taken out of it.

    `texts` are the whole texts by their file paths. `summariser` is "rule", a model's name, both with a plus between,
    or empty where nothing was summarised; `model_error` is the slug of why a model was given up. `missed` says why
    limits are exceeded; it is empty where they are kept.
    """

    messages: tuple[JsonObject, ...] = field(repr=False)
    tokens_before: int
    tokens_after: int
    offloads: tuple[Offload, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    summariser: str = ""
    model_error: str = ""
    missed: str = ""


class WorkingMemory:
    """Shortens conversations, and reads, searches and removes what was offloaded. May be used from any thread."""

    def __init__(
        self,
        *,
        store: WorkingStore,
        objects: ObjectStore,
        model: LanguageModel | None,
        clock: Clock,
        meter: Meter,
        policy: WorkingPolicy,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._offloads = Offloads(store=store, objects=objects, clock=clock)
        self._store = store
        self._model = model
        self._clock = clock
        self._meter = meter
        self._policy = policy

    def choose_limits(
        self,
        *,
        mode: WorkingMode | None = None,
        compact_ratio_threshold: float | None = None,
        max_total_tokens: int | None = None,
        max_tool_message_tokens: int | None = None,
        group_token_threshold: int | None = None,
        keep_recent_count: int | None = None,
    ) -> WorkingLimits:
        """The limits that a request gives; what is None is as the policy says."""
        usual = self._policy.limits
        return WorkingLimits(
            mode=mode or usual.mode,
            compact_ratio_threshold=compact_ratio_threshold or usual.compact_ratio_threshold,
            max_total_tokens=max_total_tokens or usual.max_total_tokens,
            max_tool_message_tokens=max_tool_message_tokens or usual.max_tool_message_tokens,
            group_token_threshold=group_token_threshold or usual.group_token_threshold,
            keep_recent_count=usual.keep_recent_count if keep_recent_count is None else keep_recent_count,
        )

    def shorten(
        self,
        principal: Principal,
        workspace_id: str,
        messages: Sequence[JsonObject],
        *,
        limits: WorkingLimits | None = None,
        chat_id: str = "",
    ) -> Shortened:
        """Make a conversation short enough, if it is not; every text that is taken out is durable before this returns.

        Needs memory:write. A failing model is replaced by rules. Raises `InvalidRequest` for messages or limits that
        cannot be used, `PayloadTooLarge`, `ContentRefused`, `ModerationUnavailable`, or a `StoreError`; then nothing
        was offloaded.
        """
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        limits = check_limits(limits or self._policy.limits)
        chat_id = check_text("chat_id", chat_id, most=NAME_CHARACTERS)
        said = check_messages(messages)
        tokens = count_messages(said)
        summariser = Summariser(self._model)
        kept: tuple[JsonObject, ...] = said
        drafts: Sequence[Draft] = ()
        if self._is_too_long(tokens, len(said), limits):
            payer = Payer(
                tenant_id=scope.tenant_id, workspace_id=workspace_id, key_id=principal.key_id, operation=OPERATION
            )
            with charging(payer):
                kept, drafts = self._plan(scope, said, tokens, limits, summariser)
        texts = passages_of_values("offloaded text", (draft.text for draft in drafts))
        check_passages(self._moderation, principal, scope, texts)
        offloads = self._offloads.keep(scope, drafts, chat_id=chat_id) if drafts else ()
        self._meter.record([record_of(scope, OPERATION, now_ms=self._clock.now_ms(), items=len(said))])
        return Shortened(
            messages=kept,
            tokens_before=tokens,
            tokens_after=count_messages(kept),
            offloads=offloads,
            texts={draft.file_path: draft.text for draft in drafts},
            summariser=summariser.names,
            model_error=summariser.failure.slug if summariser.failure else "",
            missed=self._explain(kept, limits),
        )

    def list(
        self, principal: Principal, workspace_id: str, *, chat_id: str = "", limit: int = 50, cursor: str = ""
    ) -> Page[Offload]:
        """A page of 1 to 1,000 offloads, of one chat or of all, in the order in which they came. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        chat_id = check_text("chat_id", chat_id, most=NAME_CHARACTERS)
        return self._store.list_offloads(scope, chat_id=chat_id, limit=check_page(limit), cursor=cursor)

    def get(self, principal: Principal, workspace_id: str, offload_id: str) -> Offload:
        """What is known of an offload, or `NotFound`. Needs memory:read."""
        return self._store.get_offload(authorise(principal, Permission.MEMORY_READ, workspace_id), offload_id)

    def read(
        self, principal: Principal, workspace_id: str, offload_id: str, *, offset: int = 0, limit: int | None = None
    ) -> Iterator[bytes]:
        """The lines of an offload after the first `offset`, at most `limit`, byte for byte and in pieces.

        Needs memory:read. Raises `NotFound`, or `InvalidRequest` for a negative offset or a limit below 1.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        if offset < 0:
            raise InvalidRequest(f"offset is {offset}: give the number of lines to leave out, 0 or more")
        if limit is not None and limit < 1:
            raise InvalidRequest(f"limit is {limit}: ask for at least 1 line")
        _, chunks = self._offloads.read_chunks(scope, offload_id)
        return slice_lines(chunks, offset=offset, limit=limit)

    def search(
        self,
        principal: Principal,
        workspace_id: str,
        offload_id: str,
        pattern: str,
        *,
        ignore_case: bool = True,
        limit: int = 50,
    ) -> tuple[Match, ...]:
        """The first lines of an offload in which a text or a regular expression is found. Needs memory:read.

        Raises `NotFound`, or `InvalidRequest` for a pattern that is malformed or takes more than 5 seconds.
        """
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        _, chunks = self._offloads.read_chunks(scope, offload_id)
        return find_matches(chunks, pattern, ignore_case=ignore_case, limit=limit)

    def delete(self, principal: Principal, workspace_id: str, offload_id: str) -> None:
        """Remove an offload for good, or raise `NotFound`. Needs memory:delete."""
        self._offloads.remove(authorise(principal, Permission.MEMORY_DELETE, workspace_id), offload_id)

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        """Remove all offloads of a workspace for good; returns how many. None is one user's, so that of one none goes.

        For the service that removes or erases a workspace, which has asked for the right to do so.
        """
        return 0 if user_id is not None else self._offloads.forget(scope)

    def maintain(self, now_ms: int, is_stopping: Callable[[], bool] = lambda: False) -> Maintained:
        """Let offloads of all workspaces age, and remove what interrupted requests left; meant to be called hourly."""
        return maintain(self._offloads, self._policy, now_ms, is_stopping)

    def _is_too_long(self, tokens: int, count: int, limits: WorkingLimits) -> bool:
        return tokens > limits.max_total_tokens or (
            count > self._policy.max_messages and limits.mode is not WorkingMode.COMPACT
        )

    def _plan(
        self,
        scope: Scope,
        messages: tuple[JsonObject, ...],
        tokens: int,
        limits: WorkingLimits,
        summariser: Summariser,
    ) -> tuple[tuple[JsonObject, ...], Sequence[Draft]]:
        """The messages as they will be, and the texts to store; nothing is stored yet.

        The mode auto compresses what compaction leaves above the share of `compact_ratio_threshold`, down to it, so
        that a conversation that has just become too long does not become so again with its next message.
        """
        aims_lower = limits.mode is WorkingMode.AUTO and tokens > limits.max_total_tokens
        share = limits.compact_ratio_threshold if aims_lower else 1.0
        goal = Goal(
            most_tokens=limits.max_total_tokens,
            wished_tokens=min(limits.max_total_tokens, int(tokens * share)),
            most_messages=self._policy.max_messages,
        )
        drafts: tuple[Draft, ...] = ()
        if limits.mode is not WorkingMode.COMPRESS and tokens > limits.max_total_tokens:
            compacted = compact(scope, messages, limits)
            messages = compacted.messages
            drafts += compacted.drafts
        compresses = limits.mode is WorkingMode.COMPRESS or (
            limits.mode is WorkingMode.AUTO and self._policy.auto_compression
        )
        if compresses and not goal.is_met(count_messages(messages), len(messages)):
            compressed = compress(
                scope,
                messages,
                limits,
                goal,
                lambda chosen, most_tokens: summariser.summarise(
                    chosen, most_tokens=most_tokens, prompt_tokens=limits.group_token_threshold
                ),
            )
            messages = compressed.messages
            drafts += compressed.drafts
        self._offloads.check(drafts)
        return messages, drafts

    def _explain(self, messages: Sequence[JsonObject], limits: WorkingLimits) -> str:
        """Why limits are exceeded; empty where they are kept."""
        tokens, count = count_messages(messages), len(messages)
        excess = []
        if tokens > limits.max_total_tokens:
            excess.append(f"about {tokens:,} tokens are left, more than max_total_tokens {limits.max_total_tokens:,}")
        if count > self._policy.max_messages and limits.mode is not WorkingMode.COMPACT:
            excess.append(f"{count:,} messages are left, more than max_messages {self._policy.max_messages:,}")
        if not excess:
            return ""
        if limits.mode is WorkingMode.COMPACT or not (
            self._policy.auto_compression or limits.mode is WorkingMode.COMPRESS
        ):
            reason = "only long outputs of tools were offloaded: use the mode compress"
        else:
            reason = (
                f"instructions and the latest {limits.keep_recent_count} messages, with the calls of tools that "
                "belong to them, stay as they are: lower keep_recent_count, or shorten them"
            )
        return f"{' and '.join(excess)}; {reason}"


def gather(chunks: Iterator[bytes], most_bytes: int) -> tuple[str, bool]:
    """The beginning of a text of at most so many bytes, and whether that is all of it."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > most_bytes:
            return content[:most_bytes].decode("utf-8", "ignore"), False
    return content.decode(), True
