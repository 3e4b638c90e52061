"""The requirements' comparison tables with the choice that was made for a workload, and why.

Planning figures are the document's, quoted with their section; list prices are the catalogue's, in the
plan's primary region; what the options would cost is computed on the user's own workload.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from sizing.cost.alternatives import Subject
from sizing.cost.class_verdicts import (
    NODE_SERVICES,
    explain_instances,
    judge_database_class,
    judge_instance,
    plan_classes,
)
from sizing.cost.comparisons import Attribute, DocumentTable, ListKey, Option, document_tables
from sizing.cost.dimension_verdicts import explain_dimensions, judge_dimensions
from sizing.cost.model_verdicts import (
    explain_embedding,
    explain_models,
    judge_embedding_model,
    judge_language_model,
)
from sizing.cost.quotations import correct, quote_figures, say
from sizing.cost.verdicts import (
    Verdict,
    explain_choice,
    find_choice,
    is_candidate,
    judge_candidate,
    places_of,
    plan_scale,
)
from sizing.design import Design
from sizing.messages import Language
from sizing.models import models

FIGURE_COLUMNS = ("planning", "correction", "list-price", "workload", "verdict")
"""The columns after the option and the document's own attributes."""

VENDORS = {"openai": "OpenAI", "dashscope": "Alibaba Qwen", "deepseek": "DeepSeek"}
"""Providers whose name is not their id with a capital."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonRow:
    """One option: what the document says, what we correct, list price, this workload, and the verdict.

    All texts are in the table's language. ``monthly_usd`` and ``delta_usd`` are USD a month at the
    expected values (see ``Verdict``); ``partial`` counts lines without a list price that they omit.
    """

    name: str
    option: str
    attributes: tuple[str, ...]
    planning: str
    correction: str
    list_price: str
    workload: str
    why: str
    chosen: bool
    cannot: bool
    monthly_usd: Decimal | None
    delta_usd: Decimal | None
    input_usd: Decimal | None
    output_usd: Decimal | None
    partial: int
    section: str
    origin: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as texts, one for each of the table's columns."""
        return (
            self.option,
            *self.attributes,
            self.planning,
            self.correction,
            self.list_price,
            self.workload,
            self.why,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonTable:
    """A comparison of the document; ``chosen`` holds the indexes of the rows that the plan takes."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]
    chosen: frozenset[int]
    why: str
    note: str
    section: str


def comparison_tables(drawn: Design, language: Language) -> tuple[ComparisonTable, ...]:
    """Return every comparison table of the requirements for a design, in one language.

    Prices are those of the design's catalogue in its primary region; a price that is not known is
    said to be, and never counted.
    """
    subject = Subject.of(drawn)
    return tuple(_compare(subject, table, language) for table in document_tables())


def _compare(subject: Subject, table: DocumentTable, language: Language) -> ComparisonTable:
    rows = [_row(subject, table, option, language) for option in table.options]
    rows += [_row(subject, table, option, language) for option in _our_options(subject, table, rows)]
    place = places_of(subject)[0]
    return ComparisonTable(
        name=table.name,
        title=say(f"title.{table.name}", language),
        columns=tuple(say(f"column.{name}", language) for name in ("option", *table.attributes, *FIGURE_COLUMNS)),
        rows=tuple(rows),
        chosen=frozenset(index for index, row in enumerate(rows) if row.chosen),
        why=_explain(subject, table, language),
        note=say(f"note.{table.name}", language) + say("note", language, region=place.key),
        section=table.section,
    )


def _row(subject: Subject, table: DocumentTable, option: Option, language: Language) -> ComparisonRow:
    verdict = _judge(subject, table, option, language)
    return ComparisonRow(
        name=option.name,
        option=option.text(language),
        attributes=tuple(option.attribute(name, language) for name in table.attributes),
        planning=quote_figures(option, language),
        correction=correct(option, language),
        list_price=verdict.list_price,
        workload=verdict.workload,
        why=verdict.why,
        chosen=verdict.chosen,
        cannot=verdict.cannot,
        monthly_usd=verdict.monthly_usd,
        delta_usd=verdict.delta_usd,
        input_usd=verdict.input_usd,
        output_usd=verdict.output_usd,
        partial=verdict.partial,
        section=option.section,
        origin=option.origin,
    )


_JUDGES: dict[str, Callable[[Subject, Option, Language], Verdict]] = {
    "llm": judge_language_model,
    "embedding": judge_embedding_model,
    "dimensions": judge_dimensions,
    "compute": judge_instance,
}


def _judge(subject: Subject, table: DocumentTable, option: Option, language: Language) -> Verdict:
    judge = _JUDGES.get(table.component)
    if judge is not None:
        return judge(subject, option, language)
    if table.component == "database" and not is_candidate("database", option):
        return judge_database_class(subject, option, language)
    return judge_candidate(subject, table.component, option, language)


def _explain(subject: Subject, table: DocumentTable, language: Language) -> str:
    if table.component == "llm":
        return explain_models(subject, language)
    if table.component == "embedding":
        return explain_embedding(subject, language)
    if table.component == "dimensions":
        return explain_dimensions(subject, language)
    if table.component == "compute":
        return explain_instances(subject, language)
    return explain_choice(find_choice(subject, table.component), language)


def _our_options(subject: Subject, table: DocumentTable, rows: Iterable[ComparisonRow]) -> list[Option]:
    """Return what the document's table lacks: our other models, and the plan's own choice."""
    listed = {option.link for option in table.options}
    if table.component in ("llm", "embedding"):
        return [
            _our_option(model.name, model.name, model.name, (_vendor(model.provider),))
            for model in models().values()
            if model.kind == table.component and model.name not in listed
        ]
    if table.component == "dimensions":
        wanted = str(subject.drawn.workload.dimensions)
        return [] if wanted in listed else [_our_option(wanted, wanted, wanted)]
    if table.component == "compute":
        shown = {(option.cloud, option.link) for option in table.options}
        return [_our_class(cloud, name) for cloud, name in plan_classes(subject) if (cloud, name) not in shown]
    if any(row.chosen for row in rows):
        return []
    chosen = find_choice(subject, table.component).chosen
    # The matrix of §3.1 has a row for every candidate; only its two companions lack some.
    matrix = next(other for other in document_tables() if other.name == "vector-stores")
    known = next(option for option in matrix.options if option.link == chosen)
    scale = plan_scale(subject)
    attributes: tuple[Attribute, ...] = ()
    if "scale" in table.attributes:
        attributes = (Attribute(name="scale", en=say(f"scale.{scale}", "en"), zh=say(f"scale.{scale}", "zh")),)
    return [_our_option(chosen, known.name_en, known.name_zh, attributes, known.prices)]


def _vendor(provider: str) -> Attribute:
    name = VENDORS.get(provider, provider.title())
    chinese = "阿里通义千问" if provider == "dashscope" else name
    return Attribute(name="vendor", en=name, zh=chinese)


def _our_class(cloud: str, name: str) -> Option:
    vendor = Attribute(name="vendor", en=say(f"cloud.{cloud}", "en"), zh=say(f"cloud.{cloud}", "zh"))
    key = ListKey(part="instance", provider=cloud, service=NODE_SERVICES[cloud], sku=name, region="")
    return _our_option(name, name, name, (vendor,), (key,), cloud=cloud, nodes=1)


def _our_option(
    link: str,
    name_en: str,
    name_zh: str,
    attributes: tuple[Attribute, ...] = (),
    prices: tuple[ListKey, ...] = (),
    *,
    cloud: str = "",
    nodes: int = 0,
) -> Option:
    return Option(
        name=link,
        name_en=name_en,
        name_zh=name_zh,
        cloud=cloud,
        link=link,
        scale="",
        nodes=nodes,
        vcpu=0,
        memory_gb=0.0,
        above_gb=None,
        upto_gb=None,
        corrections=(),
        section="",
        origin="ours",
        attributes=attributes,
        figures=(),
        prices=prices,
    )
