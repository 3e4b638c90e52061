"""Names and values of upstream and of the requirements' configuration files, and what they mean here."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

UPSTREAM_VARIABLES: Mapping[str, str] = {
    "REME_HOST": "http.host",
    "REME_PORT": "http.port",
    "REME_COMPAT_REPR": "compat.repr",
    "LLM_BACKEND": "llm.default.backend",
    "LLM_MODEL_NAME": "llm.default.model_name",
    "LLM_API_KEY": "llm.default.api_key",
    "LLM_BASE_URL": "llm.default.api_base",
    "EMBEDDING_BACKEND": "embedding.backend",
    "EMBEDDING_MODEL_NAME": "embedding.model_name",
    "EMBEDDING_DIMENSIONS": "embedding.dimensions",
    "EMBEDDING_API_KEY": "embedding.api_key",
    "EMBEDDING_BASE_URL": "embedding.api_base",
    "FLOW_LLM_API_KEY": "llm.default.api_key",
    "FLOW_LLM_BASE_URL": "llm.default.api_base",
    "FLOW_EMBEDDING_API_KEY": "embedding.api_key",
    "FLOW_EMBEDDING_BASE_URL": "embedding.api_base",
    "FLOW_ES_HOSTS": "elasticsearch.hosts",
    "FLOW_QDRANT_HOST": "qdrant.host",
    "FLOW_QDRANT_PORT": "qdrant.port",
    "FLOW_QDRANT_API_KEY": "qdrant.api_key",
}
"""Variables of upstream that mean something here; of two for one setting, the first is the stronger."""
UPSTREAM_PREFIXES = ("FLOW_", "LLM_", "EMBEDDING_")

UPSTREAM_NAMES: Mapping[str, str] = {
    "service.host": "http.host",
    "service.port": "http.port",
    "database.path": "working_dir",
    "database.synchronous": "store.synchronous",
    "database.cache_size": "store.cache_mb",
    "database.busy_timeout": "store.busy_timeout_ms",
    "database.vector_index.dimension": "embedding.dimensions",
    "vector_stores.<rest>": "vector_store.<rest>",
    "vector_store.local.backend": "store.backend",
    "vector_store.memory.backend": "store.backend",
    "vector_store.pgvector.backend": "store.backend",
    "vector_store.<task>.backend": "vector_index.backend",
    "vector_store.<task>.params.embedding_dim": "embedding.dimensions",
    "vector_store.qdrant.params.batch_size": "vector_index.batch_size",
    "vector_store.elasticsearch.params.batch_size": "vector_index.batch_size",
    "vector_store.chroma.params.batch_size": "vector_index.batch_size",
    "vector_store.<task>.params.timeout": "<task>.timeout_s",
    "vector_store.pgvector.params.dsn": "postgres.connection_string",
    "vector_store.pgvector.params.min_size": "postgres.min_pool_size",
    "vector_store.pgvector.params.max_size": "postgres.max_pool_size",
    "vector_store.pgvector.params.use_hnsw": "postgres.index",
    "vector_store.pgvector.params.<key>": "postgres.<key>",
    "vector_store.qdrant.params.search_params.hnsw_config.<key>": "qdrant.<key>",
    "vector_store.qdrant.params.hnsw_config.<key>": "qdrant.<key>",
    "vector_store.qdrant.params.quantization.enabled": "qdrant.quantization",
    "vector_store.elasticsearch.params.index_prefix": "elasticsearch.index_name",
    "vector_store.<task>.params.<key>": "<task>.<key>",
    "llms.<rest>": "llm.<rest>",
    "llm_config.<task>.model": "llm.<task>.model_name",
    "llm.<task>.params.<key>": "llm.<task>.<key>",
    "llm.<task>.base_url": "llm.<task>.api_base",
    "llm.<task>.timeout": "llm.<task>.timeout_s",
    "llm.ranker.<key>": "llm.rerank.<key>",
    "llm.retriever.<key>": "llm.rerank.<key>",
    "llm.retrieval.<key>": "llm.rerank.<key>",
    "llm.summarizer.<key>": "llm.personal.<key> llm.task.<key> llm.tool.<key> llm.compression.<key>",
    "llm.summarization.<key>": "llm.personal.<key> llm.task.<key> llm.tool.<key> llm.compression.<key>",
    "embedding_models.<rest>": "embedding_model.<rest>",
    "embedding_model.default.params.<key>": "embedding_model.default.<key>",
    "embedding_model.default.base_url": "embedding.api_base",
    "embedding_model.default.timeout": "embedding.timeout_s",
    "embedding_model.default.max_batch_size": "embedding.batch_texts",
    "embedding_model.default.<key>": "embedding.<key>",
    "batch_size": "embedding.batch_texts",
    "max_tokens_per_batch": "embedding.batch_tokens",
    "embedding_cache_size": "embedding.persistent_cache_entries",
    "working_memory.archive_policy.enabled": "working_memory.archive_enabled",
    "working_memory.archive_policy.archive_after_days": "working_memory.archive_after_days",
    "working_memory.archive_policy.delete_after_days": "working_memory.delete_after_days",
    "working_memory.storage_tier.hot": "working_memory.hot_days",
    "working_memory.storage_tier.warm": "working_memory.archive_after_days",
    "storage.max_file_size": "storage.max_file_bytes",
    "storage.params.access_key_id": "storage.access_key",
    "storage.params.access_key_secret": "storage.secret_key",
    "storage.params.endpoint_url": "storage.endpoint",
    "storage.params.<key>": "storage.<key>",
    "logging.level": "log.level",
    "logging.file": "log.file",
    "logging.fields_to_mask": "log.mask",
    "authentication.type": "access.mode",
    "authentication.key_rotation.rotation_interval": "access.key_days",
    "authentication.key_rotation.overlap_period": "access.overlap_days",
    "gdpr_compliance.data_retention.working_memory": "working_memory.delete_after_days",
    "china_compliance.content_moderation.enabled": "moderation.backend",
    "china_compliance.content_moderation.provider": "moderation.backend",
    "gdpr_compliance.deletion_support.hard_delete_after_days": "retention.purge_after_days",
}
"""Names with what they are called here; of two for one setting, the first is the stronger.

`<task>` and `<key>` stand for one part of a name, `<rest>` for one or more. What a name becomes is looked up again.
"""

UPSTREAM_VALUES: Mapping[str, Mapping[str, str]] = {
    "store.backend": {"local": "sqlite", "pgvector": "postgres"},
    "vector_index.backend": {"es": "elasticsearch", "chromadb": "chroma"},
    "qdrant.distance": {"euclid": "euclidean", "cosine": "cosine", "manhattan": "manhattan"},
    "postgres.index": {"true": "hnsw", "false": "ivfflat", "1": "hnsw", "0": "ivfflat"},
    "qdrant.quantization": {"true": "int8", "false": "none", "1": "int8", "0": "none"},
    "embedding.backend": {"openai": "openai_compatible", "huggingface": "sentence_transformers"},
    "llm.backend": {"openai": "openai_compatible"},
    "access.mode": {"api_key": "required"},
    "moderation.backend": {
        **dict.fromkeys(("alibaba_green", "true", "1", "yes", "on"), "green"),
        **dict.fromkeys(("false", "0", "no", "off"), "none"),
    },
    "store.synchronous": {"1": "NORMAL", "2": "FULL", "normal": "NORMAL", "full": "FULL"},
}
"""Upstream's values with ours, by setting; `llm.backend` is that of every task. Upstream's `local` store keeps files
in the working directory, as ours does."""

PAGE_BYTES = 4096
"""A page of the store; SQLite's own figure."""
CORRECTED_BASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(https://dashscope[a-z-]*\.aliyuncs\.com)(/api/v1|/compatible-mode)?/?"), "/compatible-mode/v1"),
    (re.compile(r"(https://api\.anthropic\.com)/?"), "/v1"),
    (re.compile(r"(https://api\.openai\.com)/?"), "/v1"),
)
"""Addresses of providers that do not answer like OpenAI's, with the path that does (requirements §5.1)."""

_PART = {"<task>": "(?P<task>[^.]+)", "<key>": "(?P<key>[^.]+)", "<rest>": "(?P<rest>.+)"}
_DAYS = re.compile(r"(\d{1,6})\s*d(ays?)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What is to be said about a name that was given: what replaces it, or how its value was corrected.

    `name` is as it was given, with its value only where that is no secret. `meaning` is what the name is about,
    `section` that of the requirements. "always" is for a value that is in force anyway, which is no cause for a
    warning.
    """

    kind: Literal["replaced", "corrected", "always"] = "replaced"
    name: str
    meaning: str = ""
    text: str
    section: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" + (f" (requirements §{self.section})" if self.section else "")


_VECTOR_STORE = re.compile(r"vector_stores?\.default\.(.+)")
_SAME_STORE: Mapping[str, str] = {"es": "elasticsearch", "chromadb": "chroma", "sqlite": "local"}
LOCAL_STORE = "local"


def is_vector_store(name: str) -> bool:
    """Whether a name is upstream's for the backend of its vector store."""
    match = _VECTOR_STORE.fullmatch(name)
    return match is not None and match[1] == "backend"


def place_vector_store(name: str, backend: str) -> str:
    """A name below `vector_store.default` with the backend in place of `default`: what it means depends on that."""
    match = _VECTOR_STORE.fullmatch(name)
    if match is None:
        return name
    kind = backend.strip().lower()
    return f"vector_store.{_SAME_STORE.get(kind, kind if kind.isidentifier() else 'unknown')}.{match[1]}"


@cache
def _rules() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    found = []
    for name, meaning in UPSTREAM_NAMES.items():
        pattern = re.escape(name)
        for part, expression in _PART.items():
            pattern = pattern.replace(part, expression)
        found.append((re.compile(pattern), tuple(meaning.split())))
    return tuple(found)


def translate_name(name: str, known: frozenset[str]) -> tuple[tuple[str, int], ...]:
    """The settings that a name means, of those that are known, each with its rank: 0 is our own name, low is strong."""
    if name in known:
        return ((name, 0),)
    for rank, (pattern, meanings) in enumerate(_rules(), start=1):
        match = pattern.fullmatch(name)
        if match is None:
            continue
        found: list[tuple[str, int]] = []
        for meaning in meanings:
            for part, value in match.groupdict().items():
                meaning = meaning.replace(f"<{part}>", value)  # noqa: PLW2901 - filled in step by step
            found += [(setting, max(rank, inner)) for setting, inner in translate_name(meaning, known)]
        if found:
            return tuple(found)
    return ()


def translate_value(name: str, setting: str, value: object) -> object:
    """A value of upstream's as ours; one that needs no translation, or has none, stays as it is."""
    if name in _CONVERSIONS:
        return _CONVERSIONS[name](value)
    if isinstance(value, bool) and setting not in UPSTREAM_VALUES:
        return value
    field = re.sub(r"^llm\.\w+\.backend$", "llm.backend", setting)
    return UPSTREAM_VALUES.get(field, {}).get(str(value).lower(), value)


def correct_base(address: object) -> str | None:
    """The address that answers like OpenAI's, for one of a provider that is known not to; None where it may stay."""
    for pattern, path in CORRECTED_BASES:
        match = pattern.fullmatch(str(address))
        if match is not None:
            return match[1] + path
    return None


def _convert_cache_size(value: object) -> object:
    """MiB, rounded up, for SQLite's cache size: KiB where it is negative, else pages."""
    try:
        size = int(str(value))
    except ValueError:
        return value
    return math.ceil((-size * 1024 if size < 0 else size * PAGE_BYTES) / 2**20)


def _convert_days(value: object) -> object:
    match = _DAYS.fullmatch(str(value).strip())
    return int(match[1]) if match else value


def _convert_path(value: object) -> object:
    """The working directory of a store's file."""
    return str(value).removesuffix(".reme/memory.db").rstrip("/") or ("/" if str(value).startswith("/") else ".")


def _convert_region(value: object) -> object:
    """A region of Alibaba Cloud without the service's name before it (requirements §4.4: oss-cn-beijing)."""
    return str(value).removeprefix("oss-") if isinstance(value, str) else value


_CONVERSIONS: Mapping[str, Callable[[object], object]] = {
    "database.cache_size": _convert_cache_size,
    "database.path": _convert_path,
    "authentication.key_rotation.rotation_interval": _convert_days,
    "authentication.key_rotation.overlap_period": _convert_days,
    "storage.params.region": _convert_region,
}
