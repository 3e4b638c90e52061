"""The flags that describe a workload: one per driver, and the wishes."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click

from sizing.drivers import Driver, drivers
from sizing.errors import InvalidWorkload
from sizing.models import TASKS, models
from sizing.regions import CLOUDS, jurisdictions, regions
from sizing.selection import candidates
from sizing.workload import ARCHITECTURES, EMBEDDINGS, OVERRIDABLE, request_region

GROUPS = {
    "load": "Users and memories",
    "operations": "Operations",
    "tokens": "Tokens",
    "storage": "Storage and traffic",
    "wishes": "Wishes",
    "overrides": "Overrides (a choice that cannot work is refused)",
    "output": "Output",
}
"""Headings of the help page, in order."""


class GroupedOption(click.Option):
    """An option that the help page lists under a heading."""

    def __init__(self, names: Sequence[str], group: str, **settings: Any) -> None:
        self.group = group
        super().__init__(names, **settings)


@cache
def workload_parameters() -> tuple[GroupedOption, ...]:
    """Return every flag of a workload, in the order of the help page.

    Made when a command line is read, because the tables behind it are files.
    """
    file_help = "Read a TOML or YAML workload; flags win over it. `reme-size init` writes one."
    flags = [_flag("--file", "-f", "file", type=click.Path(path_type=Path), group="load", help=file_help)]
    flags += [_driver_flag(driver) for driver in drivers().values()]
    flags.append(
        _flag("--memories", group="load", metavar="N", help="Memories in total, instead of --memories-per-user.")
    )
    flags += _wishes()
    for name in OVERRIDABLE:
        choices = click.Choice(candidates(name))
        text = f"Insist on this {OVERRIDE_NAMES.get(name, name.replace('_', ' '))}."
        flags.append(
            _flag(f"--{name.replace('_', '-')}", f"override_{name}", type=choices, group="overrides", help=text)
        )
    return tuple(flags)


OVERRIDE_NAMES = {"nat": "number of NAT gateways"}


def _flag(*names: str, group: str, **settings: Any) -> GroupedOption:
    return GroupedOption(names, group=group, **settings)


def _driver_flag(driver: Driver) -> GroupedOption:
    default = driver.default
    named = driver.unit.partition("/")[0].lower() in driver.help_en.lower()
    text = f"{driver.help_en}." if named else f"{driver.help_en}, in {driver.unit}."
    if default is not None:
        shown = (
            f"{default.expected:g}" if default.is_exact else f"{default.low:g}..{default.expected:g}..{default.high:g}"
        )
        text += f"  [default: {shown}; {driver.origin}]"
    return _flag(driver.flag, driver.name, metavar="N|L..E..H", group=driver.group, help=text)


def _wishes() -> list[GroupedOption]:
    nodes = "[CLOUD:]REGION[=NODES]"
    tasks = ", ".join(TASKS)
    return [
        _flag("--name", group="wishes", metavar="TEXT", help="Name of the service, shown in reports."),
        _flag(
            "--cloud",
            multiple=True,
            type=click.Choice(CLOUDS),
            group="wishes",
            help="Cloud to plan for; the first is planned, the others are compared. Repeatable.",
        ),
        _flag(
            "--region",
            multiple=True,
            metavar=nodes,
            group="wishes",
            shell_complete=complete_regions,
            help="Region, with its nodes if they matter. Repeatable.",
        ),
        _flag(
            "--availability",
            "availability_percent",
            type=float,
            metavar="PERCENT",
            group="wishes",
            help="Availability wanted, e.g. 99.9.  [default: none asked]",
        ),
        _flag(
            "--residency", type=click.Choice(jurisdictions()), group="wishes", help="Keep all data in one jurisdiction."
        ),
        _flag(
            "--gdpr/--no-gdpr",
            "gdpr",
            default=None,
            group="wishes",
            help="Retention of a GDPR deployment: working memory 30 days.",
        ),
        _flag("--dimensions", type=int, metavar="N", group="wishes", help="Vector dimensions.  [default: 1024; §3.3]"),
        _flag(
            "--embedding",
            type=click.Choice(EMBEDDINGS),
            group="wishes",
            help="Where text is embedded.  [default: remote]",
        ),
        _flag(
            "--architecture",
            type=click.Choice(ARCHITECTURES),
            group="wishes",
            help="Processor of the nodes.  [default: x86_64]",
        ),
        _flag(
            "--llm",
            metavar="MODEL",
            group="wishes",
            shell_complete=complete_models,
            help="Language model of every task.",
        ),
        _flag(
            "--task-model",
            multiple=True,
            metavar="TASK=MODEL",
            group="wishes",
            help=f"Model of one task ({tasks}). Repeatable.",
        ),
        _flag(
            "--embedding-model",
            metavar="MODEL",
            group="wishes",
            shell_complete=complete_models,
            help="Embedding model.",
        ),
    ]


def complete_regions(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer the known regions to the shell."""
    return [region.key for region in regions().values() if region.key.startswith(incomplete)]


def complete_models(_context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer the known models of a flag's kind to the shell."""
    kind = "embedding" if parameter.name == "embedding_model" else "llm"
    return [model.name for model in models().values() if model.kind == kind and model.name.startswith(incomplete)]


def collect_document(values: Mapping[str, Any]) -> dict[str, object]:
    """Merge the file named by ``--file`` with the flags over it into one document, unchecked.

    Raises InvalidWorkload for a file or a flag that cannot be read.
    """
    from sizing.workload_document import load_document

    document: dict[str, object] = load_document(values["file"]) if values.get("file") else {}
    for name in (
        *drivers(),
        "memories",
        "name",
        "availability_percent",
        "residency",
        "gdpr",
        "dimensions",
        "embedding",
        "architecture",
    ):
        if values.get(name) is not None:
            document[name] = values[name]
    if "memories" in document and values.get("memories_per_user") is not None and values.get("memories") is None:
        # The flag replaces the file's other way of saying the same.
        del document["memories"]
    if values.get("memories") is not None and values.get("memories_per_user") is None:
        document.pop("memories_per_user", None)
    if values.get("cloud"):
        document["clouds"] = list(values["cloud"])
    if values.get("region"):
        clouds = values.get("cloud") or CLOUDS
        document["regions"] = [_region(text, tuple(clouds)) for text in values["region"]]
    _merge_models(document, values)
    overrides = {name: values[f"override_{name}"] for name in OVERRIDABLE if values.get(f"override_{name}")}
    if overrides:
        document["overrides"] = {**_table(document, "overrides"), **overrides}
    return document


def _merge_models(document: dict[str, object], values: Mapping[str, Any]) -> None:
    chosen: dict[str, object] = {}
    if values.get("llm"):
        chosen["default"] = values["llm"]
    for text in values.get("task_model") or ():
        task, separator, model = text.partition("=")
        if not separator:
            raise InvalidWorkload("task-model", text, "TASK=MODEL, e.g. rerank=gpt-4o-mini")
        chosen[task] = model
    if values.get("embedding_model"):
        chosen["embedding"] = values["embedding_model"]
    if chosen:
        document["models"] = {**_table(document, "models"), **chosen}


def _table(document: Mapping[str, object], name: str) -> dict[str, object]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise InvalidWorkload(name, found, "a table")
    return found


def _region(text: str, clouds: tuple[str, ...]) -> dict[str, object]:
    request = request_region(text, clouds)
    entry: dict[str, object] = {"cloud": request.region.cloud, "region": request.region.region}
    return entry if request.nodes is None else {**entry, "nodes": request.nodes}
