"""The reference pages of the memory service that are written from its code: commands, metrics, errors."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from app import errors
from app.api.openapi import list_problems
from app.commands.main import cli, exit_code_of
from app.telemetry.metrics import LEG_BUCKETS_S, REQUEST_BUCKETS_S, Metrics, StoreState
from tools.api_examples import V1, WORKSPACE, run_service
from tools.http_api_page import operations, write_http_api
from tools.reference_pages import REFERENCE, code, page, table, tidy, walk_commands
from tools.settings_page import write_settings
from tools.steady_text import steady

METRIC_LABELS: Mapping[str, str] = {
    "operation": "operation id of the route; of tokens, the metered operation",
    "method": "HTTP method, `OTHER` for one that is unknown",
    "status": "HTTP status",
    "leg": "`embed`, `vector`, `keyword`, `fetch`",
    "reason": "slug of the error",
    "outcome": "`allowed`, `refused`, `unjudged`; `known` was judged before, and counts as one of the others too",
    "moderator": "who judged: the service of the provider",
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
        "A text that content moderation refuses, or could not judge, is a line of the logger `reme.moderation` with "
        "`event` (`content_moderation`), `outcome`, `moderator`, `tenant_id`, `workspace_id` and `key_id`; a refusal "
        "has `place` and `labels`, a failure `texts` and `reason`. The text is in none.",
    )


def list_metrics() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and meaning of every metric of the service, from what it exposes after one event of each."""
    state = StoreState(workspaces=1, memories={"personal": 1}, db_bytes=1)
    metrics = Metrics(facts={"version": "0", "store": "sqlite", "embedder": "local"}, observe=lambda: state)
    metrics.count_request("search", "GET", 200, 0.1)
    metrics.count_tokens("extract", 1)
    metrics.count_legs({"vector": 1.0})
    metrics.count_cache(1, 1)
    metrics.count_moderated({"refused": 1})
    metrics.count_moderation_calls("green:llm_query_moderation", 1)
    metrics.count_degraded("model-unavailable")
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
