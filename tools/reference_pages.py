"""The reference pages that are written from the code and its tables: one function a page."""

import ast
import inspect
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from types import ModuleType

import click

from sizing import capacity, errors, footprint, measures, placement, plan, sizer, stores
from sizing.billing import plan_bill
from sizing.catalogue import EVIDENCE, STALE_AFTER_DAYS, Price, catalogue
from sizing.commands.main import cli
from sizing.commands.workload_options import GROUPS
from sizing.cost.report import price_design
from sizing.cost.strategies import STRATEGIES
from sizing.design import design
from sizing.drivers import drivers
from sizing.estimate import Estimate
from sizing.messages import messages, render
from sizing.models import models
from sizing.regions import regions
from sizing.render.labels import show_usd
from sizing.schemas import plan_schema, workload_schema
from sizing.selection import candidates, rules_for
from sizing.tables import read_table
from sizing.workload import RegionRequest, sample_workload
from sizing.yardsticks import yardsticks

REFERENCE = "docs/reference"
TODAY = date(2026, 11, 22)
"""The date that every generated figure is made on, so that a page changes only when the product does."""

HELP_WIDTH = 100
NOTE = "<!-- Written by tools/write_docs.py (make docs). Edit the code or the table that it comes from. -->"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """Return a Markdown table."""
    rules = ["---:" if index in right else "---" for index in range(len(columns))]
    body = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(columns), rules, *body])


def code(text: object) -> str:
    """Return text as inline code, empty where there is none."""
    return f"`{text}`" if str(text) else ""


def number(value: float) -> str:
    """Write a number of a table without an exponent or trailing zeros."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")


def page(title: str, *parts: str) -> str:
    """Return a whole generated page."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def write_cli() -> str:
    """Return the help page of every command."""
    parts = [
        "The help pages of the program, as it prints them. The guides in [howto](../howto/) show the commands at work."
    ]
    for names, command, context in walk_commands():
        parts.append(f"## {' '.join(names)}\n\n```text\n{command.get_help(context).rstrip()}\n```")
    return page("Command line", *parts)


def walk_commands(
    command: click.Command = cli, names: tuple[str, ...] = ("reme-size",), parent: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Yield every command with its full name and a context of fixed width."""
    context = click.Context(
        command,
        info_name=names[-1],
        parent=parent,
        terminal_width=HELP_WIDTH,
        max_content_width=HELP_WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield names, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name  # noqa: S101
            yield from walk_commands(found, (*names, name), context)


def write_drivers() -> str:
    """Return the table of every driver by group."""
    parts = [
        (
            "A driver is a quantity that moves size or cost. Every one but `users` has a default: low, expected, "
            "high. The origin names the section of the requirements that the default comes from; `ours` means that "
            "the requirements give no figure and we assumed one. Replace those first."
        ),
        (
            "The key in a file and in `batch` is the name below; the flag is `--` and the name with hyphens. An "
            "effect of −1 means that more of it costs less, so the costly corner takes its low value."
        ),
    ]
    for group in dict.fromkeys(driver.group for driver in drivers().values()):
        rows = [
            (
                code(driver.name),
                driver.help_en,
                driver.unit,
                "required" if driver.default is None else show_estimate(driver.default),
                f"{number(driver.minimum)} – {number(driver.maximum)}",
                "−1" if driver.effect < 0 else "+1",
                driver.origin,
            )
            for driver in drivers().values()
            if driver.group == group
        ]
        columns = ("Driver", "What it is", "Unit", "Default", "Bounds", "Effect", "Origin")
        parts.append(f"## {GROUPS[group]}\n\n{table(columns, rows)}")
    return page("Drivers", *parts)


def show_estimate(estimate: Estimate) -> str:
    """Write an estimate as flags take it."""
    if estimate.is_exact:
        return number(estimate.expected)
    return "..".join(number(value).replace(",", "") for value in (estimate.low, estimate.expected, estimate.high))


METRICS = {
    "users": "users at the expected value",
    "spread_users": "users, 0 where the data may lie in one region only",
    "regions": "regions asked for",
    "regions_possible": "regions asked for, or those of the world-wide default that clouds and residency allow",
    "database_gb": "GB of all memories: text, index and vectors",
    "spread_data_gb": "GB of all memories, 0 where the data may lie in one region only",
    "relational_gb": "GB in the database: with the vectors where they share its file, else without",
    "concurrency": "requests in flight at the peak",
    "availability_percent": "availability asked for, 0 for none",
    "spread_availability": "availability asked for, 0 where the data may lie in one region only",
    "host_memory_gb": "GB of RAM that one host would need, Qdrant included",
    "host_vcpu": "vCPUs that one host would need at the peak",
    "nodes": "nodes of the service in the largest region",
    "zones": "availability zones of the tier",
    "dimensions": "dimensions of a vector",
    "tier_rank": "1 for single-host, 2 for single-host-qdrant, 3 for ha, 4 for multi-region",
    "sqlite_database": "1 where the database is SQLite",
    "objects_gb": "GB of offloaded output and profiles",
}
"""What each metric of a rule means; the reference is incomplete without one, so a test looks for them."""

FORCES = {"cannot": "cannot work", "advice": "not advised"}


def write_rules() -> str:
    """Return tiers, candidates, rules and strategies."""
    parts = [
        (
            "Candidates are listed from the simplest on. The first one without a rule against it is taken. A rule "
            "that says *cannot work* also refuses a candidate that you insist on (exit code 2); one that says *not "
            "advised* becomes a warning then. `{value}` and `{limit}` are filled in by the report."
        ),
        "## Tiers\n\nThe floor of each tier. Load only adds to it.\n\n" + tiers_floor(),
    ]
    for component in dict.fromkeys(row["component"] for row in read_table("options.csv")):
        rows: list[tuple[str, ...]] = []
        for name in candidates(component):
            found = rules_for(component, name)
            rows += [
                (
                    code(name),
                    f"`{rule.metric} {rule.operator} {number(rule.limit)}`",
                    FORCES[rule.force],
                    render(rule.message, "en"),
                    rule.origin,
                )
                for rule in found
            ] or [(code(name), "", "", "always possible", "")]
        columns = ("Candidate", "Out when", "Force", "Message", "Origin")
        parts.append(f"## Rules: {component}\n\n{table(columns, rows)}")
    rows = [
        (
            code(name),
            messages("en")[f"strategy.{name}"],
            messages("en")[f"strategy.{name}.price"],
            strategy.section,
        )
        for name, strategy in STRATEGIES.items()
    ]
    used = dict.fromkeys(row["metric"] for row in read_table("rules.csv"))
    parts.append("## Metrics\n\n" + table(("Metric", "What it is"), [(code(name), METRICS[name]) for name in used]))
    parts.append(
        "## Strategies\n\nWhat `--apply` takes. Each changes the workload; the whole plan is then sized and priced "
        "again.\n\n" + table(("Name", "What it does", "What it costs in quality or work", "Origin"), rows)
    )
    return page("Tiers, candidates, rules and strategies", *parts)


def tiers_floor() -> str:
    """Return ``data/tiers.csv`` turned on its side: a row for each property, a column for each tier."""
    found = read_table("tiers.csv")
    names = [row["tier"] for row in found]
    properties = [key for key in found[0] if key != "tier"]
    return table(("Property", *map(code, names)), [(code(key), *(row[key] for row in found)) for key in properties])


def write_regions() -> str:
    """Return the regions and the models."""
    known_regions = [
        (
            code(region.key),
            region.name_en,
            region.jurisdiction,
            code(region.pair),
            region.zones,
            region.global_role,
            region.global_nodes,
            code(region.llm),
            code(region.embedding),
            region.origin,
        )
        for region in regions().values()
    ]
    known_models = [
        (
            code(model.name),
            model.kind,
            model.provider,
            model.supported_dimensions.replace("|", ", "),
            "" if model.texts_per_call is None else model.texts_per_call,
            ", ".join(model.served_from),
            model.quality_en,
            model.origin,
        )
        for model in models().values()
    ]
    return page(
        "Regions and models",
        "## Regions\n\nWhat `--region` takes. *Pair* is the nearest region of the other cloud, which a comparison "
        "uses. *Role* says whether the world-wide default contains the region, whether it can be added, or whether "
        "it shares data with no other. The models are those of the region in a plan over several regions; a plan in "
        "one region takes Qwen3 and the embedding model of its provider unless you name others (see "
        "[region_models](formulas.md#region_models)).",
        table(
            (
                "Region",
                "Name",
                "Jurisdiction",
                "Pair",
                "Zones",
                "Role",
                "Nodes by default",
                "Language model",
                "Embedding model",
                "Origin",
            ),
            known_regions,
        ),
        "## Models\n\nWhat `--llm`, `--task-model` and `--embedding-model` take. *Served from* names the "
        "jurisdictions of the provider's end points; `local` runs on your own nodes.",
        table(
            ("Model", "Kind", "Provider", "Dimensions", "Texts a call", "Served from", "Quality", "Origin"),
            known_models,
        ),
    )


def write_formulas() -> str:
    """Return the formulas and constants of sizing with their sources and errors."""
    return page(
        "Formulas",
        "Taken from the code's own documentation. *Assumed* marks what nobody measured: replace those numbers with "
        "yours first. Sizes are decimal (1 GB = 10^9 bytes); a month has 730 hours.",
        describe_module("Time and size", measures),
        describe_module("Footprint: what must be held and carried", footprint),
        describe_module("Stores: RAM and disk of each", stores),
        list_yardsticks(),
        describe_module("Capacity: how large each component must be", capacity),
        describe_module("Placement: which regions, which models", placement),
        describe_module("Balancer, logs and backups", sizer, only=("size_corners", "balancer_lcu_hours", "lcu_hours")),
        describe_module("What the bill counts", plan_bill, only=("cross_zone_gb", "stored_logs_gb")),
    )


def list_yardsticks() -> str:
    """Return the measured figures with their errors and sources."""
    rows = [
        (
            code(found.store),
            code(found.quantity),
            number(found.value),
            found.unit,
            "" if found.error_percent is None else f"{number(found.error_percent)} %",
            found.sizes,
            found.source.replace("benchmarks/results/", ""),
            found.date,
        )
        for found in yardsticks().values()
    ]
    columns = ("Store", "Quantity", "Value", "Unit", "Error", "Sizes", "Source in `benchmarks/results`", "Date")
    return (
        "## Measured figures\n\n`sizing/data/yardsticks.csv`, written from the benchmarks. No error is given where "
        "there are as many sizes as unknowns, or one run. MB are 10^6 bytes.\n\n" + table(columns, rows, (2, 4))
    )


def describe_module(title: str, module: ModuleType, only: tuple[str, ...] | None = None) -> str:
    """Return a module's constants and public functions; ``only`` names the functions to keep."""
    tree = ast.parse(inspect.getsource(module))
    parts = [f"## {title}\n\nModule `{module.__name__}`. {tidy(ast.get_docstring(tree) or '')}"]
    constants = list(read_constants(tree))
    if constants:
        rows = [(code(name), code(value), text or "No source stated.") for name, value, text in constants]
        parts.append(table(("Constant", "Value", "Source and error"), rows))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if only is None or node.name in only:
            result = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
            signature = f"{node.name}({ast.unparse(node.args)}){result}"
            parts.append(f"### {node.name}\n\n```python\n{signature}\n```\n\n{tidy(ast.get_docstring(node) or '')}")
    return "\n\n".join(parts)


def read_constants(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and documentation of public constants.

    Assignments on consecutive lines share the text that follows the last of them.
    """
    waiting: list[tuple[str, str]] = []
    last_line = 0
    for node in tree.body:
        if waiting and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = tidy(inspect.cleandoc(str(node.value.value)))
            yield from ((name, value, text) for name, value in waiting)
            waiting = []
            continue
        if waiting and node.lineno > last_line + 1:
            yield from ((name, value, "") for name, value in waiting)
            waiting = []
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            value = ast.unparse(node.value)
            if not node.targets[0].id.startswith("_") and len(value) <= 80:
                waiting.append((node.targets[0].id, value))
        last_line = node.end_lineno or node.lineno
    yield from ((name, value, "") for name, value in waiting)


def tidy(docstring: str) -> str:
    """Return a docstring as Markdown: single back-ticks, paragraphs on one line."""
    paragraphs = [" ".join(part.split()) for part in docstring.split("\n\n")]
    return "\n\n".join(paragraphs).replace("``", "`").replace("<", "&lt;").replace("*", "\\*")


def write_prices() -> str:
    """Return how many prices the catalogue has, by provider, service, region and evidence."""
    listed = list(catalogue().prices.values())
    by_service: dict[tuple[str, str], list[Price]] = defaultdict(list)
    by_region: dict[tuple[str, str], list[Price]] = defaultdict(list)
    for price in listed:
        by_service[price.provider, price.service].append(price)
        by_region[price.provider, price.region].append(price)
    evidence = Counter(price.evidence for price in listed)
    rates = [(code(row["currency"]), row["per_usd"], row["as_of"], row["source"]) for row in read_table("exchange.csv")]
    return page(
        "Prices",
        f"The catalogue holds {len(listed):,} list prices and {len(catalogue().checks):,} second sources that they "
        f"are checked against. {describe_age(listed)}",
        "A price of evidence `none` was looked for and not found. It has no amount, and a report that needs it says "
        "*no list price*. How prices age and how to put your own over them: "
        "[use your own prices](../howto/use-your-own-prices.md).",
        "```sh\nreme-size prices list aws/rds\nreme-size prices list --region eu-west-1 --format csv\n"
        "reme-size prices check\n```",
        "## How complete a plan is\n\nThe plan of 500 users in each region, its expected total at list prices and the "
        "lines of which no price is known. A total with many of them is a floor and says little.\n\n" + count_gaps(500),
        "## By evidence\n\n" + table(("Evidence", "Prices"), [(name, f"{evidence[name]:,}") for name in EVIDENCE], [1]),
        "## By provider and service\n\n" + count_prices(("Provider", "Service"), by_service),
        "## By provider and region\n\n`global` and `*` apply everywhere; `cn-mainland` and `intl` are price groups "
        "of Alibaba Cloud.\n\n" + count_prices(("Provider", "Region"), by_region),
        "## Exchange rates\n\nUnits per USD. `--rate` replaces them.\n\n"
        + table(("Currency", "Per USD", "As of", "Source"), rates),
    )


def count_gaps(users: int) -> str:
    """Return, for a plan in each region, its lines without a list price."""
    rows = []
    for region in regions().values():
        workload = replace(sample_workload(users), regions=(RegionRequest(region=region),))
        report = price_design(design(workload, catalogue()))
        missing = dict.fromkeys(line.component for line in report.unpriced)
        counts = f"{len(report.unpriced)} / {len(report.lines)}"
        rows.append((code(region.key), show_usd(report.total.expected), counts, ", ".join(missing)))
    return table(("Region", "Total", "Lines without a price", "Components concerned"), rows, (1, 2))


def describe_age(listed: list[Price]) -> str:
    """Say how old the prices are."""
    known = [price for price in listed if price.usd is not None]
    dated = sorted(price.as_of for price in known if price.as_of)
    stale = sum(price.is_stale(TODAY, STALE_AFTER_DAYS) for price in known)
    return (
        f"The oldest dated price is of {dated[0]}, the newest of {dated[-1]}; on {TODAY} {stale:,} were undated or "
        f"older than {STALE_AFTER_DAYS} days."
    )


def count_prices(columns: tuple[str, str], grouped: dict[tuple[str, str], list[Price]]) -> str:
    """Return counts and dates of groups of prices."""
    rows = []
    for (first, second), found in sorted(grouped.items()):
        dated = sorted(price.as_of for price in found if price.as_of and price.usd is not None)
        counts = [sum(price.evidence == name for price in found) for name in EVIDENCE]
        rows.append((code(first), code(second), len(found), *counts, *(dated[:1] or ["–"]), *(dated[-1:] or ["–"])))
    return table((*columns, "Prices", *EVIDENCE, "Oldest", "Newest"), rows, range(2, 7))


def write_plan() -> str:
    """Return the fields of every part of a plan."""
    tree = ast.parse(inspect.getsource(plan))
    parts = [
        f"{tidy(ast.get_docstring(tree) or '')} The current version is {plan.SCHEMA_VERSION}.",
        (
            "`reme-size --format json` writes the plan under `plan`; its schema is "
            "[plan.schema.json](schemas/plan.schema.json), also printed by `reme-size schema plan`. A workload "
            "file's schema is [workload.schema.json](schemas/workload.schema.json)."
        ),
    ]
    for node in reversed([node for node in tree.body if isinstance(node, ast.ClassDef)]):
        rows = [
            (code(ast.unparse(field.target)), code(ast.unparse(field.annotation)), code(show_default(field.value)))
            for field in node.body
            if isinstance(field, ast.AnnAssign)
        ]
        text = tidy(ast.get_docstring(node) or "")
        parts.append("\n\n".join(filter(None, [f"## {node.name}", text, table(("Field", "Type", "Default"), rows)])))
    return page("Plan", *parts)


def show_default(value: ast.expr | None) -> str:
    """Write a field's default, an empty mapping for a factory."""
    if value is None:
        return ""
    text = ast.unparse(value)
    return "{}" if text.startswith("field(") else text


def write_exit_codes() -> str:
    """Return the exit codes and the errors behind them."""
    found = [
        error
        for error in vars(errors).values()
        if inspect.isclass(error) and issubclass(error, errors.SizingError) and error is not errors.SizingError
    ]
    return page(
        "Exit codes",
        table(
            ("Code", "Meaning", "Raised by"),
            [
                (0, "Fine.", "Every command."),
                (1, "A failure that your input did not cause.", "A missing optional library, an interrupted run."),
                (2, "The input cannot be used.", "An unknown option, a bad value, file, price file or bill."),
                (
                    3,
                    "The command worked and found what you asked it to look for.",
                    "`--budget`, `diff --max-increase`, `prices check`, `watch`.",
                ),
            ],
        ),
        "An error goes to standard error and names the field, the value and what would be valid: `reme-size: error: "
        "FIELD = VALUE is not usable. Valid: …`. An unknown option is answered with the usage line, a price file with "
        "every bad line. No report is written then; `batch` still writes its rows. With codes 0 and 3 the report is "
        "complete.",
        "## Errors\n\n"
        + table(
            ("Error", "Meaning", "Code"),
            [(code(error.__name__), tidy(inspect.getdoc(error) or ""), error.exit_code) for error in found],
        ),
    )


def write_schema(schema: dict[str, object]) -> str:
    """Return a JSON Schema as a file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


FILES: dict[str, Callable[[], str]] = {
    f"{REFERENCE}/cli.md": write_cli,
    f"{REFERENCE}/drivers.md": write_drivers,
    f"{REFERENCE}/rules.md": write_rules,
    f"{REFERENCE}/regions-and-models.md": write_regions,
    f"{REFERENCE}/formulas.md": write_formulas,
    f"{REFERENCE}/prices.md": write_prices,
    f"{REFERENCE}/plan.md": write_plan,
    f"{REFERENCE}/exit-codes.md": write_exit_codes,
    f"{REFERENCE}/schemas/workload.schema.json": lambda: write_schema(workload_schema()),
    f"{REFERENCE}/schemas/plan.schema.json": lambda: write_schema(plan_schema()),
}
