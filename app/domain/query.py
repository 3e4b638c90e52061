"""What is searched for and what is found."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from app.domain.memory import Layer, Memory, MemoryKind

Scalar: TypeAlias = str | int | float | bool

T = TypeVar("T")


class SearchMode(StrEnum):
    """Hybrid fuses both legs; vector and keyword are one leg; exact compares every vector, the oracle of the others."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"
    EXACT = "exact"


class Comparison(StrEnum):
    """How a metadata value is compared."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A condition on one key of a memory's metadata. A missing key fails all but `ne`, and `exists` false.

    `values` has one element, or several for `in`. Numbers compare with numbers and texts with texts.
    """

    key: str
    comparison: Comparison
    values: tuple[Scalar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryFilter:
    """Which memories are considered; every part that is given must hold.

    Of `kinds`, `layers`, `authors` and `user_ids` any one listed will do; `tags` must all be there.
    `created_from_ms` is inclusive, `created_to_ms` exclusive.
    """

    kinds: tuple[MemoryKind, ...] = ()
    layers: tuple[Layer, ...] = ()
    authors: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchQuery:
    """A search: the text, how many to return, and how to rank them.

    `as_of_ms` answers as of that moment: what held then, earlier revisions included; deleted
    memories never. `half_life_days` halves the score of a memory of that age. `mmr_lambda` trades
    relevance (1.0) for variety (0.0). `min_score` is compared with the score that is returned.
    In hybrid mode, `dates` lets a date in the text favour memories of that time (not with `as_of_ms`, which says it
    itself), and `hops` of 2 searches for the words of the first hits as well. `rerank` asks a model for the order.
    """

    text: str
    top_k: int = 10
    mode: SearchMode = SearchMode.HYBRID
    filter: MemoryFilter = MemoryFilter()
    min_score: float = 0.0
    as_of_ms: int | None = None
    half_life_days: float | None = None
    mmr_lambda: float | None = None
    explain: bool = False
    dates: bool = True
    hops: int = 1
    rerank: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A memory's internal number and how well one leg of the search thinks of it (more is better)."""

    number: int
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """How a score came about. Ranks count from 1; None means that the leg did not find it.

    `in_period` says that the memory is of the time that the question names, `hop` 2 that the words of another
    hit led to it.
    """

    similarity: float | None
    vector_rank: int | None
    keyword: float | None
    keyword_rank: int | None
    fused: float
    decay: float = 1.0
    in_period: bool = False
    hop: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A found memory. `score` is in 0..1; `similarity` is the cosine, where the vector leg saw it."""

    memory: Memory
    score: float
    similarity: float | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """A page of a listing and the cursor of the next; an empty cursor says that this is the last."""

    items: tuple[T, ...]
    next_cursor: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """What a search found, best first, and what it took.

    `reranker` is the model that put the hits in their order, empty where none did; then `reranker_reason` says why,
    if one was asked for. `degraded` is the slug of the error for which a search by meaning answered from keywords
    (`mode` is KEYWORD then), empty where it did not.
    """

    hits: tuple[Hit, ...] = ()
    mode: SearchMode = SearchMode.HYBRID
    took_ms: float = 0.0
    legs_ms: dict[str, float] = field(default_factory=dict)
    reranker: str = ""
    reranker_reason: str = ""
    degraded: str = ""
