"""Metered use as a workload of the cost planner: the plan that follows from what really happens."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from app.domain.usage import UsageRecord
from app.service.metered_models import EMBED
from sizing.drivers import drivers
from sizing.footprint import TOKEN_BYTES
from sizing.models import TASKS, models
from sizing.workload import LOCAL_EMBEDDING, SCHEMA_VERSION

VECTOR_BYTES = 4_096
"""The driver memory_bytes is meant for a vector of 1024 float32 components."""
ROW_BYTES = 1_000
TEXT_FACTOR = 2.0
"""Bytes of a row with its indexes, and of a text with its full-text index, in the embedded store. Measured: 1,334
bytes beside the vectors for texts of 180 bytes, 100,000 memories. Error: +-30 %, by the language of the texts."""
SIGNIFICANT_DIGITS = 9
WRITES = ("add", "update")
RETRIEVE = "retrieve"
PERSONAL = TASKS[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    """What is stored: users, live memories and the bytes of their text."""

    users: int
    memories: int
    text_bytes: int


def write_workload(
    done: Sequence[UsageRecord], asked: Sequence[UsageRecord], stock: Stock, *, days: int
) -> dict[str, object]:
    """A document that `reme-size --file` reads: the daily average of `days` days for the users of the stock.

    `done` is what the meter counted, `asked` what models were asked for, by task. All users count as active. Writes
    that no model took part in count as personal summaries, whose tokens are then the average of all of them, so that
    users x rate x tokens gives what was metered. What nobody counts (peaks, growth, sizes of requests, offloaded
    working memory) keeps the planner's defaults.
    """
    calls: Counter[str] = Counter()
    items: Counter[str] = Counter()
    for record in done:
        if not record.model:
            calls[record.operation] += record.calls
            items[record.operation] += record.items
    tasks = _Tasks(asked)
    retrieves, writes = calls[RETRIEVE], sum(calls[name] for name in WRITES)
    rates = dict(tasks.calls)
    rates[PERSONAL] = max(rates[PERSONAL], writes - rates["task"] - rates["tool"])
    users = _enough_users(stock, max(retrieves, *rates.values()) / days)
    values = {
        "users": float(users),
        "active_share": 1.0,
        "memories_per_user": stock.memories / users,
        "retrieves_per_user_day": retrieves / days / users,
        "rerank_share": _share(rates["rerank"], retrieves),
    }
    for task in (PERSONAL, "task", "tool"):
        values[f"{task}_summaries_per_user_day"] = rates[task] / days / users
    values["compressions_per_user_day"] = rates["compression"] / days / users
    for task in TASKS:
        # Calls that the planner cannot count (more rerankings than retrievals) are spread over those that it can.
        counted = min(rates[task], retrieves) if task == "rerank" else rates[task]
        if counted or task == PERSONAL:
            values[f"{task}_input_tokens"] = _share(tasks.input_tokens[task], counted)
            values[f"{task}_output_tokens"] = _share(tasks.output_tokens[task], counted)
    if stock.memories:
        text_bytes = stock.text_bytes / stock.memories
        values["memory_bytes"] = VECTOR_BYTES + ROW_BYTES + TEXT_FACTOR * text_bytes
        values["memory_embedding_tokens"] = text_bytes / TOKEN_BYTES * _per_write(items, writes)
    if sum(tasks.input_tokens.values()):
        values["llm_cached_input_share"] = tasks.cached_tokens / sum(tasks.input_tokens.values())
    values |= _describe_embeddings(done, asked, retrieves=retrieves, writes=sum(rates[task] for task in TASKS[:3]))
    document: dict[str, object] = {"schema_version": SCHEMA_VERSION, "name": "metered-use"}
    document.update({name: _fit(name, value) for name, value in values.items()})
    document.update(_choose_models(tasks.models, done, asked))
    return document


class _Tasks:
    """What language models were asked for, by task; calls whose task nobody told count as personal summaries."""

    def __init__(self, asked: Iterable[UsageRecord]) -> None:
        self.calls: Counter[str] = Counter(dict.fromkeys(TASKS, 0))
        self.input_tokens: Counter[str] = Counter()
        self.output_tokens: Counter[str] = Counter()
        self.cached_tokens = 0
        self.models: dict[str, Counter[str]] = {task: Counter() for task in TASKS}
        for record in asked:
            if record.task == EMBED:
                continue
            task = record.task if record.task in TASKS else PERSONAL
            self.calls[task] += record.calls
            self.input_tokens[task] += record.input_tokens
            self.output_tokens[task] += record.output_tokens
            self.cached_tokens += record.cached_tokens
            self.models[task][record.model] += record.input_tokens + record.output_tokens


def _describe_embeddings(
    done: Iterable[UsageRecord], asked: Iterable[UsageRecord], *, retrieves: int, writes: int
) -> Mapping[str, float]:
    """The tokens of an embedding and how often the caches spared one, where a provider counted tokens.

    The planner multiplies tokens by the share of misses, so the tokens here are those of a text that is not spared.
    Moves of the store to another embedding are no part of a usual day.
    """
    tokens: Counter[bool] = Counter()
    for record in asked:
        if record.task == EMBED and record.operation != "reembed":
            tokens[record.operation == RETRIEVE] += record.input_tokens
    if not tokens.total():
        return {}
    wanted = sum(record.items for record in done if record.operation == "embed")
    embedders = {record.model for record in asked if record.task == EMBED}
    made = sum(
        record.items for record in done if record.model in embedders and record.operation not in ("embed", "reembed")
    )
    missed = min(1.0, _share(made, wanted)) or 1.0
    found = {"cache_hit_rate": 1.0 - missed}
    for name, is_query, times in (
        ("query_embedding_tokens", True, retrieves),
        ("memory_embedding_tokens", False, writes),
    ):
        if times:
            found[name] = tokens[is_query] / times / missed
    return found


def _per_write(items: Counter[str], writes: int) -> float:
    return _share(sum(items[name] for name in WRITES), writes) or 1.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _enough_users(stock: Stock, calls_a_day: float) -> int:
    """The users of the stock, or as many more as it takes to keep rates per user within the planner's bounds."""
    known = drivers()
    most_calls = known["retrieves_per_user_day"].maximum
    most_memories = known["memories_per_user"].maximum
    return max(stock.users, ceil(calls_a_day / most_calls), ceil(stock.memories / most_memories))


def _fit(name: str, value: float) -> float:
    driver = drivers()[name]
    rounded = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return min(max(rounded, driver.minimum), driver.maximum)


def _choose_models(
    asked_by_task: Mapping[str, Counter[str]], done: Iterable[UsageRecord], asked: Iterable[UsageRecord]
) -> dict[str, object]:
    """The models that were asked most; an embedding that the planner does not know runs in the service itself."""
    known = models()
    chosen: dict[str, str] = {}
    every: Counter[str] = Counter()
    for asked_models in asked_by_task.values():
        every += asked_models
    for task, counted in (("default", every), *asked_by_task.items()):
        names = [name for name, _ in counted.most_common() if name in known and known[name].kind == "llm"]
        if names and names[0] != chosen.get("default"):
            chosen[task] = names[0]
    wishes: dict[str, object] = {}
    embedders = Counter({record.model: 0 for record in asked if record.task == EMBED})
    for record in done:
        if record.operation == "embed":
            embedders[record.model] += record.items
    for name, _ in embedders.most_common(1):
        remote = name in known and known[name].kind == "embedding" and known[name].provider != "local"
        wishes["embedding"] = "remote" if remote else "local-cpu"
        chosen["embedding"] = name if remote else LOCAL_EMBEDDING
    if chosen:
        wishes["models"] = chosen
    return wishes
