"""From the searches and filters that clients write to those that the service is asked with."""

from collections.abc import Iterator, Mapping

from app.api.v1.requests import ConditionIn, FilterIn, SearchIn
from app.domain.memory import MemoryKind
from app.domain.query import Comparison, Condition, MemoryFilter, Scalar, SearchQuery
from app.errors import InvalidRequest
from app.settings import SearchSettings

ORDERED = (Comparison.GT, Comparison.GTE, Comparison.LT, Comparison.LTE)


def read_filter(document: FilterIn | None, types: tuple[MemoryKind, ...] = ()) -> MemoryFilter:
    """The store's filter of a document; `types` may stand beside it or in it, not in both."""
    if document is None:
        return MemoryFilter(kinds=types)
    if types and document.types:
        raise InvalidRequest("types stand beside the filter and in it: name them in one place")
    return MemoryFilter(
        kinds=types or document.types,
        layers=document.layers,
        authors=document.authors,
        user_ids=document.users,
        tags=document.tags,
        created_from_ms=document.since,
        created_to_ms=document.until,
        conditions=tuple(_read_conditions(document.metadata)),
    )


def read_query(body: SearchIn, defaults: SearchSettings) -> SearchQuery:
    """The search of a document; what it leaves open is as the settings say."""
    half_life_days = body.half_life_days if "half_life_days" in body.model_fields_set else defaults.half_life_days
    return SearchQuery(
        text=body.query,
        top_k=body.top_k,
        mode=body.mode,
        filter=read_filter(body.filter, body.types),
        min_score=body.min_score,
        as_of_ms=body.as_of,
        half_life_days=half_life_days,
        mmr_lambda=body.mmr_lambda,
        dates=body.dates,
        hops=body.hops,
        rerank=defaults.rerank if body.rerank is None else body.rerank,
        explain=body.explain,
    )


def _read_conditions(metadata: Mapping[str, Scalar | ConditionIn]) -> Iterator[Condition]:
    for key, wanted in metadata.items():
        if not isinstance(wanted, ConditionIn):
            yield Condition(key=key, comparison=Comparison.EQ, values=(wanted,))
            continue
        comparisons = [
            (comparison, getattr(wanted, "in_" if comparison is Comparison.IN else comparison.value))
            for comparison in Comparison
        ]
        given = [(comparison, value) for comparison, value in comparisons if value is not None]
        if not given:
            raise InvalidRequest(
                f"the condition on {key[:64]!r} compares with nothing: write a value, or gte, in, exists …"
            )
        for comparison, value in given:
            if comparison in ORDERED and isinstance(value, bool):
                raise InvalidRequest(
                    f"the condition {comparison.value!r} on {key[:64]!r} orders true and false: use eq"
                )
            values = tuple(value) if comparison is Comparison.IN else (value,)
            yield Condition(key=key, comparison=comparison, values=values)
