"""The reference page of the settings, written from their types and from the tables of upstream's names."""

import json
from collections.abc import Mapping
from typing import Any

from app.settings import (
    UPSTREAM_NAMES,
    UPSTREAM_VALUES,
    UPSTREAM_VARIABLES,
    Settings,
    TaskModelSettings,
    setting_names,
    variable_of,
)
from app.settings.answers import read_answers
from tools.http_api_page import BOUNDS
from tools.reference_pages import code, page, table

MODEL_TASKS: Mapping[str, str] = {
    "personal": "memories about people",
    "task": "memories about tasks",
    "tool": "memories about tools",
    "rerank": "the order of search results",
    "compression": "the compression of the working memory",
}
LANGUAGE_MEANINGS: Mapping[str, str] = {
    "llm.default.backend": "Kind of the provider's API.",
    "llm.default.model_name": "Model that is asked; without one, rules answer.",
    "llm.default.api_base": "Address of the provider, such as `https://api.openai.com/v1`; without one, rules answer.",
    "llm.default.api_key": "Key of the provider; a secret. A task with an address of its own does not get it.",
    "llm.default.temperature": "How freely the model chooses its words.",
    "llm.default.max_tokens": "Tokens of an answer at most.",
    "llm.default.timeout_s": "Seconds that one attempt may take.",
    "llm.default.deadline_s": "Seconds that all attempts together may take.",
    "llm.default.requests_per_minute": "What is sent to the provider at most.",
    "llm.default.structured": "How an answer in JSON is asked for; `auto` finds out what the provider understands.",
}
SERVER_MEANINGS: Mapping[str, str] = {
    "postgres.connection_string": (
        "Where PostgreSQL is, such as `postgresql://user:password@db.example.com:5432/reme_db`; a secret. Several "
        "hosts may be named, and `target_session_attrs=read-write` finds the one that takes writes."
    ),
    "postgres.min_pool_size": "Connections that stay open in each process.",
    "postgres.max_pool_size": "Connections that a process opens at most.",
    "postgres.connect_timeout_s": "Seconds that a connection may take.",
    "postgres.statement_timeout_s": "Seconds that a statement may take before the server ends it.",
    "postgres.index": "Index over vectors: `hnsw`, or `ivfflat`, which is smaller and finds less.",
    "postgres.lists": "Lists of `ivfflat`.",
    "postgres.m": "Neighbours of a vector in `hnsw`.",
    "postgres.ef_construction": "Neighbours looked at while `hnsw` is built.",
    "postgres.ef_search": "Neighbours looked at by a search.",
    "vector_index.backend": (
        "What finds memories by their vectors: `store` is the store itself, the others are servers beside it, which "
        "can be made anew from the store."
    ),
    "vector_index.batch_size": "Vectors in one upload.",
    "qdrant.url": "Address of Qdrant, such as that of Qdrant Cloud; it wins over host and port.",
    "qdrant.path": "A folder for the client's local mode, for trials without a server; `:memory:` keeps nothing.",
    "qdrant.host": "Host of Qdrant.",
    "qdrant.port": "Port of its HTTP interface.",
    "qdrant.grpc_port": "Port of its gRPC interface.",
    "qdrant.prefer_grpc": "Use gRPC, which is faster for large uploads.",
    "qdrant.https": "Encrypt the way to `qdrant.host`; null does where there is a key. `qdrant.url` says it itself.",
    "qdrant.api_key": "Key of Qdrant; a secret.",
    "qdrant.ca_file": "PEM file of the authorities to trust in place of the machine's own.",
    "qdrant.timeout_s": "Seconds that a call may take.",
    "qdrant.collection_name": "What the collection's name begins with; the embedding's mark follows.",
    "qdrant.distance": "How vectors are compared; they have unit length, so `euclidean` orders as `cosine` does.",
    "qdrant.m": "Neighbours of a vector in the graph (HNSW).",
    "qdrant.ef_construct": "Neighbours looked at while the graph is built.",
    "qdrant.ef": "Neighbours looked at by a search.",
    "qdrant.quantization": "Compressed vectors in RAM: `int8` takes a quarter, `binary` a thirty-second.",
    "qdrant.oversampling": "How many times as many are compared in full; null is 2 for `int8`, 4 for `binary`.",
    "qdrant.on_disk": "Keep whole vectors on disk.",
    "qdrant.shard_number": "Shards of the collection; null is the server's choice.",
    "qdrant.replication_factor": "Copies of each shard.",
    "qdrant.write_consistency_factor": "Copies that must confirm a write.",
    "qdrant.read_consistency": "Copies that a search asks: a number, `majority`, `quorum` or `all`; null is one.",
    "elasticsearch.hosts": "Addresses of Elasticsearch.",
    "elasticsearch.api_key": "Key of Elasticsearch; a secret.",
    "elasticsearch.username": "User, where there is no key.",
    "elasticsearch.password": "The user's password; a secret.",
    "elasticsearch.ca_certs": "File of the authority that signed the server's certificate.",
    "elasticsearch.verify_certs": "Check the server's certificate.",
    "elasticsearch.timeout_s": "Seconds that a call may take.",
    "elasticsearch.index_name": "What the index's name begins with; the embedding's mark follows.",
    "elasticsearch.number_of_shards": "Shards of the index.",
    "elasticsearch.number_of_replicas": "Copies of each shard.",
    "elasticsearch.refresh_interval": "How often others' writes become searchable; our own are at once.",
    "elasticsearch.max_result_window": "Most results of a search.",
    "elasticsearch.m": "Neighbours of a vector in the graph (HNSW).",
    "elasticsearch.ef_construction": "Neighbours looked at while the graph is built.",
    "elasticsearch.num_candidates": "Neighbours looked at by a search in each shard.",
    "elasticsearch.quantization": "Compressed vectors: `int8`, or `binary` where the server has it.",
    "chroma.host": "Host of Chroma.",
    "chroma.port": "Its port.",
    "chroma.ssl": "Encrypt the way to it.",
    "chroma.api_key": "Key of Chroma; a secret.",
    "chroma.tenant": "Tenant in Chroma.",
    "chroma.database": "Database in Chroma.",
    "chroma.timeout_s": "Seconds that a call may take.",
    "chroma.collection_name": "What the collection's name begins with; the embedding's mark follows.",
    "chroma.m": "Neighbours of a vector in the graph (HNSW).",
    "chroma.ef_construction": "Neighbours looked at while the graph is built.",
    "chroma.ef_search": "Neighbours looked at by a search.",
    "cache.backend": "`redis` (or Valkey) lets nodes share embeddings and count requests together.",
    "cache.mode": "One server, the master that Sentinels name, or a cluster.",
    "cache.nodes": "Addresses `host:port`: of the server, of Sentinels, or of members of the cluster.",
    "cache.service_name": "Name of the master that Sentinels know.",
    "cache.username": "User of the server.",
    "cache.password": "The user's password; a secret.",
    "cache.ssl": "Encrypt the way to the server.",
    "cache.database": "Number of the database; a cluster has only 0.",
    "cache.timeout_s": "Seconds that a call may take; after it the node does without.",
    "cache.prefix": "What names on the server begin with.",
    "cache.vector_days": "Days after which a vector that nobody asked for is forgotten.",
}
SETTING_MEANINGS: Mapping[str, str] = {
    "working_dir": "Where the service keeps its files: the store is `.reme/memory.db` in it.",
    "store.backend": (
        "`sqlite` is the embedded store, `postgres` a database that several nodes share. `memory` forgets everything "
        "at the end."
    ),
    "store.synchronous": (
        "`FULL`: an acknowledged write is on disk. `NORMAL` is faster and may lose the last writes at a power loss."
    ),
    "store.busy_timeout_ms": "How long a write waits for another process before it is answered with 503.",
    "store.cache_mb": "Pages that the writing connection keeps in RAM.",
    **SERVER_MEANINGS,
    "http.host": "Address to listen at. One that others reach is refused while no key exists.",
    "http.port": "Port to listen at; 0 takes a free one.",
    "http.workers": "Processes that answer.",
    "http.max_body_bytes": "The largest body that is taken, but for imports.",
    "http.max_import_bytes": "The largest body of an import.",
    "http.key_in_path": "Whether a key may stand in the address, as `/k/rk_…/`. Addresses end up in logs of proxies.",
    "http.cors_origins": "Web pages of these origins may call; none by default.",
    "http.allow_open": "Serve without keys on an address that others reach. Only where a gateway checks callers.",
    "access.mode": "`auto` is open for callers on this machine while no key exists. `required` always wants one.",
    "access.requests_per_minute": "What a key may ask before it is answered with 429.",
    "access.key_days": "Days that a key lives.",
    "access.overlap_days": "Days that a rotated key works on.",
    "access.max_top_k": "Most memories that a search returns.",
    "access.max_page": "Most items of a page.",
    **LANGUAGE_MEANINGS,
    **{
        f"llm.{task}.{name}": f"The same for {what}; null is what `llm.default.{name}` says."
        for task, what in MODEL_TASKS.items()
        for name in TaskModelSettings.model_fields
    },
    "embedding.backend": (
        "`local` is a model for 16 languages on the CPU. `openai_compatible` asks a provider, `sentence_transformers` "
        "computes a model of your choice. `hashing` compares words only, for tests. With `model_name` and `api_base` "
        "alone it is `openai_compatible`."
    ),
    "embedding.model_name": (
        "Name of the model, for the two backends that have a choice. For `sentence_transformers` also a folder, or "
        "`objects:NAME` for weights that `reme weights push` brought into the object store."
    ),
    "embedding.dimensions": "Length of the vectors; null is the model's own.",
    "embedding.api_base": "Address of the provider, such as `https://api.openai.com/v1`.",
    "embedding.api_key": "Key of the provider; a secret.",
    "embedding.timeout_s": "Seconds that one attempt may take.",
    "embedding.deadline_s": "Seconds that all attempts together may take.",
    "embedding.query_deadline_s": "The same for a text that is searched for; after it, keywords answer.",
    "embedding.requests_per_minute": "What is sent to the provider at most.",
    "embedding.batch_texts": "Texts in one call; null is what the provider takes.",
    "embedding.batch_tokens": "Tokens in one call; null is what the provider takes.",
    "embedding.device": "Where `sentence_transformers` computes: `auto`, `cpu`, `mps`, `cuda`, `cuda:0`, …",
    "embedding.threads": "Cores that one call of the model may take.",
    "embedding.cache_entries": "Texts whose vectors are kept in RAM.",
    "embedding.persistent_cache_entries": "Texts whose vectors are kept on disk.",
    "search.half_life_days": "Age after which a memory's score is halved, where a query does not say; null for never.",
    "search.rerank": "Ask the model of `llm.rerank` for the order of the best results, where a query does not say.",
    "search.rerank_candidates": "Best results whose order the model is asked for.",
    "spending.workspace_daily_usd": "What a workspace may spend on models a day, in USD; null for no cap.",
    "spending.workspace_monthly_usd": "What a workspace may spend on models a month, in USD; null for no cap.",
    "moderation.backend": (
        "Who judges whether texts may be kept: `none`, or `green`, Alibaba Cloud's Content Moderation. A text that it "
        "refuses is answered with 422."
    ),
    "moderation.on_error": "What becomes of a text that nobody can judge: `refuse` answers with 503, `allow` keeps it.",
    "moderation.scope": "`all` judges what language models answer too, `input` only what callers send.",
    "moderation.refuse_from": "The lowest risk that is refused.",
    "moderation.region": "Region in which Green is asked, such as `cn-beijing`.",
    "moderation.endpoint": (
        "Address of Green in place of the region's, such as `https://green-cip-vpc.cn-beijing.aliyuncs.com` within a "
        "VPC."
    ),
    "moderation.access_key": "Id of the key; a secret. Without one the machine's RAM role is used.",
    "moderation.secret_key": "The key's secret; a secret.",
    "moderation.session_token": "Token of a key that ends by itself; a secret.",
    "moderation.ram_role": "Name of the machine's RAM role; empty asks the machine.",
    "moderation.input_service": "Service that judges what callers send.",
    "moderation.output_service": "Service that judges what language models answer.",
    "moderation.timeout_s": "Seconds that one attempt may take.",
    "moderation.deadline_s": "Seconds that all texts of a request together may take.",
    "moderation.requests_per_minute": "What is sent at most, by each process.",
    "moderation.cache_entries": "Verdicts that are remembered for an hour, so that a text is not judged twice.",
    "working_memory.auto_compression": "Compress what is longer than the limits without being asked.",
    "working_memory.compression_ratio": "Part that may remain after a compression.",
    "working_memory.max_messages": "Messages that are kept at most.",
    "working_memory.max_total_tokens": "Tokens above which it is compressed.",
    "working_memory.max_tool_message_tokens": "Tokens above which a tool's output is kept apart.",
    "working_memory.hot_days": "Days since the last reading for which what was taken out is hot.",
    "working_memory.archive_after_days": "Days since the last reading after which it is archived.",
    "working_memory.delete_after_days": "Days after which it is deleted, read or not.",
    "working_memory.archive_enabled": "Whether it is archived before it is deleted.",
    "storage.type": (
        "`local` keeps long texts, profiles and weights in files, `s3` in any store that speaks S3, `oss` in Alibaba "
        "Cloud's. `memory` forgets them at the end."
    ),
    "storage.base_path": "Folder of those files; null is `.reme/storage` in `working_dir`.",
    "storage.max_file_bytes": "The longest text that is taken.",
    "storage.max_profile_bytes": "The longest profile of a user that is taken, as JSON.",
    "storage.bucket": "Bucket of `s3` and `oss`; it is not made.",
    "storage.region": "Region of the bucket, such as `us-east-1` or `cn-beijing`.",
    "storage.endpoint": "Address of a store that speaks S3, such as `https://minio.example.com`; null is the cloud's.",
    "storage.access_key": (
        "Id of the key; a secret. Without one the variables of the cloud's own tools are read (`OSS_ACCESS_KEY_ID` and "
        "`OSS_ACCESS_KEY_SECRET` with `oss`), then the machine's role is used."
    ),
    "storage.secret_key": "The key's secret; a secret.",
    "storage.session_token": "Token of a key that ends by itself; a secret.",
    "storage.prefix": "What names of objects begin with, such as `production/`.",
    "storage.path_style": "Name the bucket in the path and not in the host, as many servers other than AWS's want.",
    "storage.encryption": "Have the store encrypt: `server` with its own key, `kms` with `storage.kms_key_id`.",
    "storage.kms_key_id": "Key that the store encrypts with; empty is the cloud's own.",
    "storage.storage_class": "Class of new objects, such as `STANDARD_IA` or `IA`; empty is the bucket's.",
    "storage.timeout_s": "Seconds that one attempt of `s3` and `oss` may take.",
    "mcp.enabled": "Answer the Model Context Protocol, at the port of HTTP.",
    "mcp.compat": "Offer the tools of ReMe 0.2 there too.",
    "mcp.path": "Path of it.",
    "retention.purge_after_days": "Days after which a deleted memory is erased for good.",
    "log.level": "The least severe lines that are written.",
    "log.file": "File for the log; null is standard error.",
    "log.mask": "Names of fields whose values never appear in a log line or an error.",
    "compat.repr": "Print `action_result` of `/vector_store` as Python, as ReMe 0.2 did, and not as JSON.",
}
"""What each setting means; the page is incomplete without one, so a test looks for them."""
MARKDOWN = str.maketrans({"*": r"\*", "<": "&lt;"})
"""Marks of Markdown in a sentence, as they are shown."""


def write_settings() -> str:
    """Return every setting with its variable, default, bounds and meaning."""
    schema = Settings.model_json_schema()
    rows = []
    for name in setting_names():
        field = _find_field(schema, name)
        rows.append(
            (
                code(name),
                code(variable_of(name)),
                code(json.dumps(_default_of(name), ensure_ascii=False)),
                _describe_values(field),
                SETTING_MEANINGS[name],
            )
        )
    return page(
        "Settings",
        "A setting is an argument `key=value` of `reme serve` and `reme config`, an environment variable, or a line in "
        "the file that `--config` names (`.toml`, `.yaml`). The strongest is taken in this order; what none of them "
        "says has its default. `reme config` shows what is in force and where it comes from, `reme config schema` "
        "prints the JSON Schema of the file.",
        "In a variable a list is written with commas or as JSON, and `null` means none. An empty variable counts as "
        "not set. A setting that does not exist is an error in an argument or a file, and a warning in a variable.",
        "In a value of a file `${NAME}` is replaced from the environment, and a variable that is not set is an error. "
        "Keys are secrets: they are never printed or logged, and `reme config` shows `********`. An address that is "
        "known not to answer like OpenAI's is corrected, with a warning: DashScope's `/api/v1` to "
        "`/compatible-mode/v1`.",
        table(("Setting", "Variable", "Default", "Values", "Meaning"), rows),
        "## Names of ReMe that apply here\n\nThey mean the setting beside them, in every source. `<task>` and `<key>` "
        "stand for one part of a name, `<rest>` for one or more, and what a name becomes is looked up again. Ours wins "
        "where both are given, and of two of ReMe's the one that stands first here; the other is told in a warning.",
        table(
            ("Name", "Setting"),
            [
                *((code(name), _list_settings(meaning)) for name, meaning in UPSTREAM_NAMES.items()),
                *((code(name), code(setting)) for name, setting in UPSTREAM_VARIABLES.items()),
            ],
        ),
        "Values of ReMe that are called otherwise here:",
        table(
            ("Setting", "Value", "Here"),
            [
                (code(setting), code(value), code(ours))
                for setting, values in UPSTREAM_VALUES.items()
                for value, ours in values.items()
            ],
        ),
        "## Names that are known and do not apply\n\nThe first row that fits is the answer; `*` stands for anything. "
        "What would keep data elsewhere, longer or less protected than was asked for is refused. The rest is told in "
        "a warning at the start and by `reme config`, but for what is in force anyway.",
        table(
            ("Name", "Values", "Answer", "Meaning", "Instead", "Requirements"),
            [
                (
                    code(row.pattern),
                    code(row.values.pattern) if row.values else "all",
                    row.kind,
                    row.meaning,
                    row.replacement.translate(MARKDOWN),
                    f"§{row.section}" if row.section else "",
                )
                for row in read_answers()
            ],
        ),
    )


def _list_settings(meaning: str) -> str:
    return ", ".join(code(name) for name in meaning.split())


def _find_field(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema
    for part in name.split("."):
        found = found["properties"][part]
        if "$ref" in found:
            found = schema["$defs"][str(found["$ref"]).rpartition("/")[2]]
    return found


def _default_of(name: str) -> object:
    value: object = Settings().model_dump(mode="json")
    for part in name.split("."):
        assert isinstance(value, dict)  # noqa: S101
        value = value[part]
    return value


def _describe_values(field: Mapping[str, Any]) -> str:
    choices = [choice for choice in field.get("anyOf", [field]) if choice.get("type") != "null"]
    found = choices[0]
    if "const" in found:
        return code(found["const"])
    if "enum" in found:
        return ", ".join(code(value) for value in found["enum"])
    if found.get("type") == "array":
        return "names"
    if found.get("format") == "path":
        return "a path"
    bounds = [f"{sign} {found[key]:,.15g}" for key, sign in BOUNDS.items() if key in found]
    return ", ".join([str(found["type"]), *bounds])
