"""Metered use as a workload of the cost planner: the plan that follows from what really happens."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from app.domain.usage import UsageRecord
from sizing.drivers import drivers
from sizing.footprint import TOKEN_BYTES
from sizing.models import models
from sizing.workload import LOCAL_EMBEDDING, SCHEMA_VERSION

VECTOR_BYTES = 4_096
"""The driver memory_bytes is meant for a vector of 1024 float32 components."""
ROW_BYTES = 1_000
TEXT_FACTOR = 2.0
"""Bytes of a row with its indexes, and of a text with its full-text index, in the embedded store. Measured: 1,334
bytes beside the vectors for texts of 180 bytes, 100,000 memories. Error: +-30 %, by the language of the texts."""
SIGNIFICANT_DIGITS = 9
WRITES = ("add", "update")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    """What is stored: users, live memories and the bytes of their text."""

    users: int
    memories: int
    text_bytes: int


def write_workload(records: Iterable[UsageRecord], stock: Stock, *, days: int) -> dict[str, object]:
    """A document that `reme-size --file` reads: the daily average of `days` days for the users of the stock.

    All users count as active, and every write as a personal summary, so that users x rate gives what was metered;
    tokens of models are spread over the writes. What the meter does not count (peaks, growth, sizes of requests,
    cache hits, offloaded working memory) keeps the planner's defaults.
    """
    calls: Counter[str] = Counter()
    items: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    extractors: Counter[str] = Counter()
    embedders: Counter[str] = Counter()
    for record in records:
        calls[record.operation] += record.calls
        items[record.operation] += record.items
        if record.operation == "embed":
            embedders[record.model] += record.items
        else:
            tokens["input"] += record.input_tokens
            tokens["output"] += record.output_tokens
            if record.model:
                extractors[record.model] += record.input_tokens + record.output_tokens
    writes = sum(calls[name] for name in WRITES)
    users = _enough_users(stock, max(calls["retrieve"], writes) / days)
    text_bytes = stock.text_bytes / stock.memories if stock.memories else 0.0
    per_write = sum(items[name] for name in WRITES) / writes if writes else 1.0
    values = {
        "users": float(users),
        "active_share": 1.0,
        "memories_per_user": stock.memories / users,
        "retrieves_per_user_day": calls["retrieve"] / days / users,
        "personal_summaries_per_user_day": writes / days / users,
        "task_summaries_per_user_day": 0.0,
        "tool_summaries_per_user_day": 0.0,
        "compressions_per_user_day": 0.0,
        "rerank_share": 0.0,
        "personal_input_tokens": tokens["input"] / writes if writes else 0.0,
        "personal_output_tokens": tokens["output"] / writes if writes else 0.0,
    }
    if stock.memories:
        values["memory_bytes"] = VECTOR_BYTES + ROW_BYTES + TEXT_FACTOR * text_bytes
        values["memory_embedding_tokens"] = text_bytes / TOKEN_BYTES * per_write
    document: dict[str, object] = {"schema_version": SCHEMA_VERSION, "name": "metered-use"}
    document.update({name: _fit(name, value) for name, value in values.items()})
    document.update(_choose_models(extractors, embedders))
    return document


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


def _choose_models(extractors: Counter[str], embedders: Counter[str]) -> dict[str, object]:
    """The models that were asked most; an embedding that the planner does not know runs in the service itself."""
    known = models()
    chosen: dict[str, str] = {}
    for name, _ in extractors.most_common():
        if name in known and known[name].kind == "llm":
            chosen["default"] = name
            break
    wishes: dict[str, object] = {}
    for name, _ in embedders.most_common(1):
        remote = name in known and known[name].kind == "embedding" and known[name].provider != "local"
        wishes["embedding"] = "remote" if remote else "local-cpu"
        chosen["embedding"] = name if remote else LOCAL_EMBEDDING
    if chosen:
        wishes["models"] = chosen
    return wishes
