"""What the client sends, as the engine takes it: settings of a collection, filters, search parameters."""

from typing import Any

import qdrant_edge as edge
from qdrant_client import models

FULL_SCAN_KB = 10_000
"""Qdrant's own default of `hnsw_config.full_scan_threshold`."""

DISTANCES = {
    models.Distance.COSINE: edge.Distance.Cosine,
    models.Distance.EUCLID: edge.Distance.Euclid,
    models.Distance.MANHATTAN: edge.Distance.Manhattan,
}
SORTS = {
    "PayloadSchemaType.Keyword": models.PayloadSchemaType.KEYWORD,
    "PayloadSchemaType.Integer": models.PayloadSchemaType.INTEGER,
}


def describe_config(
    vectors: models.VectorParams,
    hnsw: models.HnswConfigDiff,
    quantized: models.ScalarQuantization | models.BinaryQuantization | None,
    metadata: dict[str, Any],
) -> models.CollectionConfig:
    """A collection's settings as a server gives them, with its defaults for what nobody set."""
    return models.CollectionConfig(
        params=models.CollectionParams(vectors=vectors),
        hnsw_config=models.HnswConfig(
            m=hnsw.m or 16,
            ef_construct=hnsw.ef_construct or 100,
            full_scan_threshold=FULL_SCAN_KB,
            on_disk=hnsw.on_disk,
        ),
        optimizer_config=models.OptimizersConfig(
            deleted_threshold=0.2,
            vacuum_min_vector_number=1000,
            default_segment_number=0,
            flush_interval_sec=5,
        ),
        wal_config=models.WalConfig(wal_capacity_mb=32, wal_segments_ahead=0),
        quantization_config=quantized,
        metadata=metadata,
    )


def to_filter(condition: models.Filter) -> edge.Filter:
    """A filter of the client as one of the engine."""
    return edge.Filter(
        must=_to_conditions(condition.must),
        should=_to_conditions(condition.should),
        must_not=_to_conditions(condition.must_not),
    )


def _to_conditions(conditions: Any) -> list[Any] | None:
    return [_to_condition(one) for one in conditions] if conditions else None  # as a server reads gRPC's empty lists


def _to_condition(condition: Any) -> Any:
    if isinstance(condition, models.Filter):
        return to_filter(condition)
    if isinstance(condition, models.NestedCondition):
        return edge.NestedCondition(condition.nested.key, to_filter(condition.nested.filter))
    if isinstance(condition, models.HasIdCondition):
        return edge.HasIdCondition({number_of(one) for one in condition.has_id})
    assert isinstance(condition, models.FieldCondition), type(condition)
    if isinstance(condition.match, models.MatchValue):
        return edge.FieldCondition(condition.key, match=edge.MatchValue(condition.match.value))
    if isinstance(condition.match, models.MatchAny):
        return edge.FieldCondition(condition.key, match=edge.MatchAny(list(condition.match.any)))  # type: ignore[arg-type]
    assert isinstance(condition.range, models.Range), condition
    bounds = condition.range
    return edge.FieldCondition(
        condition.key, range=edge.RangeFloat(gte=bounds.gte, gt=bounds.gt, lte=bounds.lte, lt=bounds.lt)
    )


def to_params(params: models.SearchParams | None) -> edge.SearchParams | None:
    """Search parameters."""
    if params is None:
        return None
    again = params.quantization
    quantization = None
    if again is not None:
        quantization = edge.QuantizationSearchParams(
            ignore=bool(again.ignore), rescore=again.rescore, oversampling=again.oversampling
        )
    acorn = None
    if params.acorn is not None:
        acorn = edge.AcornSearchParams(enable=bool(params.acorn.enable), max_selectivity=params.acorn.max_selectivity)
    return edge.SearchParams(hnsw_ef=params.hnsw_ef, exact=bool(params.exact), quantization=quantization, acorn=acorn)


def to_quantization(quantized: models.ScalarQuantization | models.BinaryQuantization | None) -> Any:
    """A quantization."""
    if isinstance(quantized, models.ScalarQuantization):
        scalar = quantized.scalar
        return edge.ScalarQuantizationConfig(
            edge.ScalarType.Int8, quantile=scalar.quantile, always_ram=scalar.always_ram
        )
    if isinstance(quantized, models.BinaryQuantization):
        return edge.BinaryQuantizationConfig(always_ram=quantized.binary.always_ram)
    return None


def to_index(schema: models.KeywordIndexParams | models.IntegerIndexParams) -> Any:
    """The index of a field."""
    if isinstance(schema, models.KeywordIndexParams):
        return edge.KeywordIndexParams(is_tenant=schema.is_tenant, on_disk=schema.on_disk)
    return edge.IntegerIndexParams(lookup=schema.lookup, range=schema.range, on_disk=schema.on_disk)


def number_of(value: Any) -> int:
    """A point's number."""
    assert isinstance(value, int), value
    return value


def dense(vector: Any) -> list[float]:
    """A plain vector."""
    assert isinstance(vector, list), type(vector)
    return vector
