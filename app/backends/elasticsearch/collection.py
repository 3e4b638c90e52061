"""The index of the server that holds the memories of one embedding: its name, mapping and settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.backends.elasticsearch import facets, keywords
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError

MOST_DIMENSIONS = 4096
"""Of an indexed `dense_vector` since Elasticsearch 8.11 (reference, "Dense vector field type")."""
LEAST_BBQ_DIMENSIONS = 64
"""Of a `dense_vector` with `bbq_hnsw` (ibid.)."""
MOST_NEIGHBOURS, MOST_BEAM = 512, 3200
"""Of `m` and `ef_construction` (Lucene 9.12, `Lucene99HnswVectorsFormat`); the server checks them only at a write."""
LEAST_VERSION, LEAST_QUANTIZED_VERSION = (8, 11), (8, 18)
"""8.11 indexes 4,096 dimensions; 8.18 has `rescore_vector`, which compares what quantized vectors found by the stored
ones (elastic/elasticsearch issue 109646), so that the cosines are exact. Tested with 8.19 alone."""
LAYOUT = 1
"""Counts the layouts of documents; another one has another index, which is made anew."""

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ALGORITHMS: Mapping[str, str] = {"none": "hnsw", "int8": "int8_hnsw", "bbq": "bbq_hnsw"}
_GRAVE_HOURS = 1
"""How long the server remembers the version of what was deleted; by default 60 s, and a late write may be later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionSettings:
    """What the settings ask for. Replicas, refresh interval and result window of a collection may change later.

    `m` and `ef_construction` are those of the HNSW graph. Raises `SettingsError` for values of no such form.
    """

    prefix: str
    number_of_shards: int
    number_of_replicas: int
    refresh_interval: str
    max_result_window: int
    m: int
    ef_construction: int
    quantization: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise SettingsError(
                f"the vector index's name {self.prefix[:80]!r} is not allowed: give 1 to 64 of a-z, 0-9, _ and -, "
                "beginning with a letter or a digit"
            )
        if self.quantization not in _ALGORITHMS:
            raise SettingsError(f"quantization is {self.quantization!r}: give one of {', '.join(_ALGORITHMS)}")
        for name, value, most in (
            ("m", self.m, MOST_NEIGHBOURS),
            ("ef_construction", self.ef_construction, MOST_BEAM),
        ):
            if not 2 <= value <= most:
                raise SettingsError(f"{name} of the vector index is {value}: give 2 to {most}")

    @property
    def changeable(self) -> dict[str, str]:
        """The settings that an index can be given later."""
        return {
            "number_of_replicas": str(self.number_of_replicas),
            "refresh_interval": self.refresh_interval,
            "max_result_window": str(self.max_result_window),
        }

    @property
    def fixed(self) -> dict[str, str]:
        """What an index keeps as it was made."""
        return {
            "number_of_shards": str(self.number_of_shards),
            "quantization": self.quantization,
            "m": str(self.m),
            "ef_construction": str(self.ef_construction),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """An index for one embedding, and its mark.

    It is asked and told by an alias that ends with the mark. So whoever prepared an index that was made anew since is
    told that it is missing, and a write never makes one.
    """

    name: str
    mark: str
    identity: EmbeddingIdentity

    @property
    def alias(self) -> str:
        """The name that it is asked and told by."""
        return f"{self.name}-{self.mark}"


def name_index(prefix: str, identity: EmbeddingIdentity) -> str:
    """The name of an embedding's index: the prefix, the model's name and a digest of what must be equal."""
    told = f"{LAYOUT}\x00{identity.model}\x00{identity.dimensions}\x00{identity.normalised}"
    model = re.sub(r"[^a-z0-9]+", "-", identity.model.lower()).strip("-")[:40] or "model"
    return f"{prefix}-{model}-{sha256(told.encode()).hexdigest()[:10]}"


def check_abilities(settings: CollectionSettings, identity: EmbeddingIdentity, version: tuple[int, int]) -> None:
    """Raise `SettingsError` for dimensions or a quantization that a server of a version does not have."""
    dimensions, said = identity.dimensions, f"Elasticsearch {version[0]}.{version[1]}"
    if version < LEAST_VERSION:
        raise SettingsError(f"the vector index's server is {said}: upgrade it to 8.19, 8.11 is the oldest that will do")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise SettingsError(
            f"the embedding has {dimensions} dimensions, Elasticsearch takes {MOST_DIMENSIONS} at most: "
            "configure fewer dimensions or another index"
        )
    if settings.quantization != "none" and version < LEAST_QUANTIZED_VERSION:
        raise SettingsError(
            f"quantization is {settings.quantization}, which the vector index needs Elasticsearch 8.18 for and the "
            f"server is {said}: upgrade it, or give quantization: none"
        )
    if settings.quantization == "bbq" and dimensions < LEAST_BBQ_DIMENSIONS:
        raise SettingsError(
            f"quantization is bbq, which needs {LEAST_BBQ_DIMENSIONS} dimensions, and the embedding has {dimensions}: "
            "give quantization: int8"
        )


def describe(collection: Collection, settings: CollectionSettings) -> dict[str, Any]:
    """What the index is made with.

    The source is not kept: the store has it, a vector as JSON is as long as four of it, and so no text of a memory is
    readable in the index.
    """
    keyword, moment = {"type": "keyword", "doc_values": False}, {"type": "long"}
    return {
        "aliases": {collection.alias: {}},
        "settings": {
            "number_of_shards": settings.number_of_shards,
            **settings.changeable,
            "gc_deletes": f"{_GRAVE_HOURS}h",
        },
        "mappings": {
            "dynamic": "strict",
            "_source": {"enabled": False},
            "_meta": {
                "mark": collection.mark,
                "prefix": settings.prefix,
                "model": collection.identity.model,
                **settings.fixed,
            },
            "properties": {
                "number": {"type": "long"},
                **dict.fromkeys(("workspace", "kind", "layer", "author", "user_id", "tags", facets.FIELD), keyword),
                **dict.fromkeys(("created_ms", "valid_from_ms", "valid_to_ms", "planned_ms"), moment),
                "superseded": {"type": "boolean"},
                keywords.FIELD: {
                    "type": "text",
                    "analyzer": "whitespace",
                    "similarity": "boolean",
                    "index_options": "docs",
                    "norms": False,
                },
                keywords.LENGTH: {"type": "integer"},
                "vector": {
                    "type": "dense_vector",
                    "dims": collection.identity.dimensions,
                    "similarity": "cosine",
                    "index_options": {
                        "type": _ALGORITHMS[settings.quantization],
                        "m": settings.m,
                        "ef_construction": settings.ef_construction,
                    },
                },
            },
        },
    }


def check_made(name: str, settings: CollectionSettings, meta: Mapping[str, Any]) -> str:
    """The mark of an index that is there; `SettingsError` where it was made by others, or with other settings."""
    mark = meta.get("mark")
    if not isinstance(mark, str) or meta.get("prefix") != settings.prefix:
        raise SettingsError(f"the index {name} is not of this service: remove it, or name the vector index otherwise")
    for setting, asked in settings.fixed.items():
        made = meta.get(setting)
        if made != asked:
            raise SettingsError(
                f"{setting} is {asked}, but the vector index {name} was made with {made}: give that, or delete the "
                "index; it is made anew and filled from the store"
            )
    return mark
