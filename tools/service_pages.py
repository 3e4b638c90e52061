"""The reference pages of the memory service that are written from its code: commands, settings, metrics, errors."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from app import errors
from app.api.openapi import list_problems
from app.commands.main import cli, exit_code_of
from app.settings import (
    ENVIRONMENT_PREFIX,
    UPSTREAM_NAMES,
    UPSTREAM_STORES,
    UPSTREAM_VARIABLES,
    Settings,
    setting_names,
)
from app.telemetry.metrics import LEG_BUCKETS_S, REQUEST_BUCKETS_S, Metrics, StoreState
from tools.api_examples import V1, WORKSPACE, run_service
from tools.http_api_page import BOUNDS, operations, write_http_api
from tools.reference_pages import REFERENCE, code, page, table, tidy, walk_commands
from tools.steady_text import steady

SETTING_MEANINGS: Mapping[str, str] = {
    "working_dir": "Where the service keeps its files: the store is `.reme/memory.db` in it.",
    "store.backend": "`sqlite` is the embedded store. `memory` forgets everything at the end.",
    "store.synchronous": (
        "`FULL`: an acknowledged write is on disk. `NORMAL` is faster and may lose the last writes at a power loss."
    ),
    "store.busy_timeout_ms": "How long a write waits for another process before it is answered with 503.",
    "store.cache_mb": "Pages that the writing connection keeps in RAM.",
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
    "embedding.backend": "`local` is a model for 16 languages on the CPU. `hashing` compares words only, for tests.",
    "embedding.threads": "Cores that one call of the model may take.",
    "embedding.cache_entries": "Texts whose vectors are kept in RAM.",
    "search.half_life_days": "Age after which a memory's score is halved, where a query does not say; null for never.",
    "retention.purge_after_days": "Days after which a deleted memory is erased for good.",
    "log.level": "The least severe lines that are written.",
    "log.file": "File for the log; null is standard error.",
    "log.mask": "Names of fields whose values never appear in a log line or an error.",
    "compat.repr": "Print `action_result` of `/vector_store` as Python, as ReMe 0.2 did, and not as JSON.",
}
"""What each setting means; the page is incomplete without one, so a test looks for them."""

METRIC_LABELS: Mapping[str, str] = {
    "operation": "operation id of the route; of tokens, the metered operation",
    "method": "HTTP method, `OTHER` for one that is unknown",
    "status": "HTTP status",
    "leg": "`embed`, `vector`, `keyword`, `fetch`",
    "kind": "`personal`, `task`, `tool`, `working`",
    "version": "release",
    "store": "backend of the store",
    "embedder": "what makes the vectors",
}
LOG_FIELDS: Mapping[str, str] = {
    "timestamp": "UTC, with milliseconds",
    "level": "`DEBUG`, `INFO`, `WARNING`, `ERROR`",
    "logger": "the area: `reme.http`, `reme.main`, `reme.upkeep`, …; `uvicorn.error` for the server's own lines",
    "message": "what happened",
    "operation": "operation id of the route, or the work in the background",
    "workspace_id": "the workspace that was asked for; empty where none was",
    "duration_ms": "from the request to the end of its answer",
    "token_consumed": "tokens of language models; 0 while none is asked",
    "vector_db": "the store's backend",
    "status": "`success`, or `error` from status 400 on",
    "trace_id": "the id that the answer carries as `X-Request-Id`; the caller's own where it sent a usable one",
    "http_status": "status of the answer",
    "method": "HTTP method",
    "route": "the route's pattern, since paths hold the ids of people",
    "key_id": "id of the key, `local` for a caller who needs none; never the key",
    "error": "class of an unforeseen error",
    "traceback": "where it was raised",
}
"""What the fields of a log line mean; the last two stand in lines about unforeseen errors only."""


def write_service_cli() -> str:
    """Return the help page of every command of `reme`."""
    parts = [
        (
            "The help pages of the program, as it prints them. The guides "
            "[run the service](../howto/run-the-service.md), [API keys](../howto/api-keys.md) and "
            "[change the embedding](../howto/change-the-embedding.md) show the commands at work. What can be set is in "
            "[settings](settings.md)."
        )
    ]
    for names, command, context in walk_commands(cli, ("reme",)):
        parts.append(f"## {' '.join(names)}\n\n```text\n{command.get_help(context).rstrip()}\n```")
    return page("Command line of the service", *parts)


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
        table(("Setting", "Variable", "Default", "Values", "Meaning"), rows),
        "## Names of ReMe that apply here\n\nThey mean the setting beside them; ours wins where both are given.",
        table(
            ("Name", "Setting"),
            [
                *((code(name), code(setting)) for name, setting in UPSTREAM_NAMES.items()),
                *((code(name), code(setting)) for name, setting in UPSTREAM_VARIABLES.items()),
                *(
                    (code(f"vector_store.default.backend={value}"), code(f"store.backend={backend}"))
                    for value, backend in UPSTREAM_STORES.items()
                ),
            ],
        ),
        "Other settings of ReMe (`llm.…`, `embedding_model.…`, `flow.…`, and variables that begin with `FLOW_`, `LLM_` "
        "or `EMBEDDING_`) are accepted, do nothing, and are named in one line of warning.",
    )


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{ENVIRONMENT_PREFIX}{name.replace('.', '__')}".upper()


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
    if "enum" in found:
        return ", ".join(code(value) for value in found["enum"])
    if found.get("type") == "array":
        return "names"
    if found.get("format") == "path":
        return "a path"
    bounds = [f"{sign} {found[key]:,.15g}" for key, sign in BOUNDS.items() if key in found]
    return ", ".join([str(found["type"]), *bounds])


def write_metrics_and_logs() -> str:
    """Return every metric with its labels, and a log line with what its fields mean."""
    rows = [
        (code(name), kind, ", ".join(code(label) for label in labels), text)
        for name, kind, labels, text in list_metrics()
    ]
    ids = [operation["operationId"] for _, _, operation in operations()]
    return page(
        "Metrics and logs",
        "## Metrics\n\n`GET /metrics` answers in Prometheus' text format. At a local address nobody needs a key for "
        "it; elsewhere it takes one that reads every workspace. With several workers the counts are those of all, and "
        "the metrics of the process (`process_…`) are left out.",
        table(("Metric", "Type", "Labels", "Meaning"), rows),
        "A counter or histogram has a series from its first event on. No language model is asked yet, so "
        "`reme_llm_tokens_total` has none. `reme_memories`, `reme_workspaces` and `reme_db_bytes` are counted at most "
        "every 15 seconds.",
        table(("Label", "Values"), [(code(name), text) for name, text in METRIC_LABELS.items()]),
        f"Buckets in seconds: requests {', '.join(f'{bound:g}' for bound in REQUEST_BUCKETS_S)}; legs of a search "
        f"{', '.join(f'{bound:g}' for bound in LEG_BUCKETS_S)}. The targets of the requirements (§7.1) are bounds.",
        "## Operations\n\nThe values of `operation` for requests; `unmatched` is an address that no route has.\n\n"
        + ", ".join(code(name) for name in ids)
        + ".",
        "## Log\n\nOne JSON object a line, to standard error or to `log.file`. Each request has one, such as:",
        f"```json\n{json.dumps(sample_log_line(), ensure_ascii=False)}\n```",
        table(("Field", "Meaning"), [(code(name), text) for name, text in LOG_FIELDS.items()]),
        "Values of the fields that `log.mask` names never appear, nor does anything that looks like a key. Texts of "
        "memories and of queries are not logged. A line of the background names its work as `operation`: `start`, "
        "`stop`, `jobs`, `metrics`, `purge`.",
    )


def list_metrics() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and meaning of every metric of the service, from what it exposes after one event of each."""
    state = StoreState(workspaces=1, memories={"personal": 1}, db_bytes=1)
    metrics = Metrics(facts={"version": "0", "store": "sqlite", "embedder": "local"}, observe=lambda: state)
    metrics.count_request("search", "GET", 200, 0.1)
    metrics.count_tokens("extract", 1)
    metrics.count_legs({"vector": 1.0})
    metrics.count_cache(1, 1)
    text = metrics.render().decode()
    found = []
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("reme_") or family.name.endswith("_created"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
        found.append((name, family.type, tuple(labels), family.documentation))
    return found


def sample_log_line() -> dict[str, Any]:
    """The line of a search, as the service wrote it, with what varies replaced."""
    with run_service() as (client, log):
        client.post(V1.format(workspace_id=WORKSPACE) + "/search", json={"query": "coffee"})
        lines = log.read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if '"search_memories 200"' in line)
    found: dict[str, Any] = json.loads(steady(line))
    found["duration_ms"] = 4.763
    return found


def write_service_errors() -> str:
    """Return the errors of the service, the slugs of the framework's, and what a caller gets."""
    rows = []
    for error in list_errors():
        text = tidy(inspect.getdoc(error) or "")
        rows.append((code(error.__name__), error.status, code(error.slug), text, exit_code_of(error())))
    own = {error.slug for error in list_errors()}
    others = [(status, code(slug)) for slug, status in list_problems().items() if slug not in own]
    return page(
        "Errors of the service",
        "Every failure has a status and a slug. Under `/v1` it is `application/problem+json`: `type` (the slug as an "
        "address in `/docs`), `title`, `status`, `detail`, `request_id`, and `errors` where fields were refused. "
        "Elsewhere it is the envelope of ReMe 0.2: `success` false, `answer` the message, `metadata.error` the slug "
        "and `metadata.request_id`. On the command line the message goes to standard error.",
        "The message below is the one that is given where none says more; most name the value, the limit and the "
        "remedy. 401 carries `WWW-Authenticate`, 429 and 503 carry `Retry-After` in seconds.",
        table(("Error", "Status", "Slug", "Message", "Exit code of `reme`"), rows),
        "## Errors of the framework\n\nThey have no class of their own.\n\n" + table(("Status", "Slug"), others),
        "A request that fails changed nothing, but for those that work in portions: an import, a load or a copy keeps "
        "the portions before the failure, a conversation keeps what was said where what was made of it could not be "
        "written, calls of several tools are kept tool by tool. All of them can be repeated.",
        "## Exit codes\n\n"
        + table(
            ("Code", "Meaning"),
            [
                (0, "Fine."),
                (1, "A failure that your input did not cause: the store, a port that is taken, an interruption."),
                (2, "The input cannot be used."),
                (3, "A finding: `reme doctor` found damage, or `reme import` left lines out."),
            ],
        ),
    )


def list_errors() -> list[type[errors.MemoryServiceError]]:
    """Every class of error, the root left out."""
    return [
        error
        for error in vars(errors).values()
        if inspect.isclass(error)
        and issubclass(error, errors.MemoryServiceError)
        and error is not errors.MemoryServiceError
    ]


SERVICE_FILES: dict[str, Callable[[], str]] = {
    f"{REFERENCE}/http-api.md": write_http_api,
    f"{REFERENCE}/service-cli.md": write_service_cli,
    f"{REFERENCE}/settings.md": write_settings,
    f"{REFERENCE}/metrics-and-logs.md": write_metrics_and_logs,
    f"{REFERENCE}/service-errors.md": write_service_errors,
}
