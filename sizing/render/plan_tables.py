"""Tables of the HTML report about the plan: choices, sizes, limits, assumptions."""

import re
from collections.abc import Callable
from datetime import date

from sizing.assessment import Assessment
from sizing.drivers import drivers
from sizing.messages import Language, label, render
from sizing.plan import Choice, Limit, Reason, RegionPlan
from sizing.regions import regions
from sizing.render.labels import name_component, name_tier
from sizing.render.report_table import Cell, ReportTable
from sizing.render.sizes import describe_sizes
from sizing.tiers import tiers

Say = Callable[..., str]

_SECTION = re.compile(r"§[\d.]+( [A-C]\b)?( \(\d\))?")


def sayer(language: Language) -> Say:
    """Return a function that renders a message of the HTML report by the end of its code."""

    def say(code: str, /, **values: object) -> str:
        return render(f"html.{code}", language, values)

    return say


def name_candidate(component: str, candidate: str, language: Language) -> str:
    """Return a tier by its name, anything else by the id that users type."""
    return capitalise(name_tier(candidate, language)) if component == "tier" else candidate


def capitalise(text: str) -> str:
    """Start a sentence with a capital, unless its first word is an id such as ``qwen3-8b`` or ``pgvector``."""
    first = text.split(" ", 1)[0]
    is_id = first == "pgvector" or any(letter.isdigit() or letter.isupper() for letter in first)
    return text if is_id else text[:1].upper() + text[1:]


def name_place(key: str, language: Language) -> str:
    """Return a region by its key, e.g. ``AWS us-east-1 (N. Virginia)`` for ``aws:us-east-1``."""
    cloud, _, region = key.partition(":")
    known = regions().get((cloud, region))
    city = (known.name_zh if language == "zh" else known.name_en) if known else ""
    text = f"{label(f'cloud.{cloud}', language)} {region}"
    if not city:
        return text
    return f"{text}（{city}）" if language == "zh" else f"{text} ({city})"


def name_origin(origin: str, language: Language) -> str:
    """Return where a rule or a default comes from; in Chinese only what needs no translation."""
    exact = label(f"html.origin.{origin}", language, "")
    if exact or language == "en":
        return exact or origin
    section = _SECTION.match(origin)
    return section.group() if section else label(f"html.origin.{re.split('[:( ]', origin)[0]}", language, origin)


def date_after(today: date, months: int) -> str:
    """Return the year and month that lie a number of months ahead, e.g. ``2028-02``."""
    years, month = divmod(today.month - 1 + months, 12)
    return f"{today.year + years}-{month + 1:02d}"


def tabulate_choice(choice: Choice, language: Language) -> ReportTable:
    """Return the candidates of a component, the chosen one first, with the verdict and the reasons."""
    say = sayer(language)
    chosen = (
        name_candidate(choice.component, choice.chosen, language),
        say("chosen"),
        _reasons(choice.component, choice.reasons, language),
    )
    others = (
        (
            name_candidate(choice.component, rejection.candidate, language),
            label(f"force.{rejection.force}", language),
            _reasons(choice.component, rejection.reasons, language),
        )
        for rejection in choice.rejected
    )
    title = say("tier-caption") if choice.component == "tier" else name_component(choice.component, language)
    return ReportTable(
        title=title,
        columns=(say("candidate"), say("verdict"), say("reasons")),
        rows=(chosen, *others),
        chosen=frozenset({0}),
    )


def _reasons(component: str, reasons: tuple[Reason, ...], language: Language) -> Cell:
    """Join the reasons; their origins stand below, each once."""
    stop = "；" if language == "zh" else "; "
    origins = dict.fromkeys(name_origin(reason.origin, language) for reason in reasons if reason.origin)
    text = stop.join(_explain(component, reason, language) for reason in reasons)
    return Cell(text=capitalise(text), detail=" · ".join(origins))


def _explain(component: str, reason: Reason, language: Language) -> str:
    """Return a reason's sentence, tiers by name where it names any."""
    named = {"tier", *(("candidate", "chosen") if component == "tier" else ())}
    values = {key: name_tier(value, language) if key in named else value for key, value in reason.values.items()}
    return render(reason.code, language, values)


def list_warnings(assessment: Assessment, language: Language) -> tuple[str, ...]:
    """Return what the plan cannot promise, each once."""
    plan = assessment.plan
    found = [("", reason) for reason in plan.warnings]
    found += [(choice.component, reason) for choice in plan.choices for reason in choice.warnings]
    return tuple(dict.fromkeys(capitalise(_explain(component, reason, language)) for component, reason in found))


def tabulate_sizes(assessment: Assessment, language: Language) -> ReportTable:
    """Return every component's size, one column a region."""
    say = sayer(language)
    plans = assessment.plan.regions
    columns = [_describe_region(plan, language) for plan in plans]
    if len(plans) == 1:
        return ReportTable(
            title=say("sizes-caption"),
            columns=(say("component"), say("size"), say("terms")),
            rows=tuple((name, cell.text, cell.detail) for name, cell in columns[0]),
        )
    return ReportTable(
        title=say("sizes-caption"),
        columns=(say("component"), *(_region_heading(plan, language) for plan in plans)),
        rows=tuple((name, *(column[row][1] for column in columns)) for row, (name, _) in enumerate(columns[0])),
    )


def _region_heading(plan: RegionPlan, language: Language) -> str:
    say = sayer(language)
    place = name_place(plan.key, language)
    return f"{place} · {say(f'role.{plan.role}')} · {say('region-share', share=f'{plan.share * 100:.3g}')}"


def _describe_region(plan: RegionPlan, language: Language) -> list[tuple[str, Cell]]:
    say = sayer(language)
    load, logs, backup = plan.load, plan.log_store, plan.backup
    found = [
        (
            say("load"),
            Cell(
                text=say("size.load", users=f"{load.users:,.0f}", memories=f"{load.memories:,.0f}"),
                detail=say(
                    "size.load-detail",
                    requests=f"{load.requests_per_month:,.0f}",
                    rps=f"{load.rps_peak:.3g}",
                    gb=f"{load.database_gb:,.4g}",
                ),
            ),
        )
    ]
    for component, choice, size in describe_sizes(plan, language):
        detail = "" if choice in size else choice
        found.append((name_component(component, language), Cell(text=size, detail=detail)))
    found.append(
        (
            name_component("logs", language),
            Cell(
                text=say(
                    "size.logs",
                    application=f"{logs.application_gb:.3g}",
                    access=f"{logs.access_gb:.3g}",
                    audit=f"{logs.audit_gb:.3g}",
                ),
                detail=say(
                    "size.logs-detail",
                    application=logs.application_days,
                    access=logs.access_days,
                    audit=logs.audit_days,
                ),
            ),
        )
    )
    found.append(
        (
            name_component("backup", language),
            Cell(
                text=say("size.backup", stock=f"{backup.stock_gb:,.4g}", archive=f"{backup.archive_gb:,.4g}"),
                detail=say(
                    "size.backup-detail",
                    days=backup.retention_days,
                    years=backup.archive_years,
                    rpo=backup.rpo_hours,
                    rto=backup.rto_hours,
                ),
            ),
        )
    )
    keys = say("size.security", keys=plan.security.keys, secrets=plan.security.secrets)
    found.append((name_component("security", language), Cell(text=keys)))
    return found


def describe_due(limit: Limit, language: Language) -> str:
    """Return what is due when a limit is met: a tier by name, else the candidate's id."""
    return name_candidate("tier" if limit.leads_to in tiers() else "", limit.leads_to, language)


def describe_metric(limit: Limit, language: Language) -> str:
    """Return what a limit is about."""
    return label(f"metric.{limit.metric}", language)


def describe_limit(code: str, limit: Limit, language: Language) -> str:
    """Return a sentence about a limit; the message ``<code>-users`` serves where users are the limit itself."""
    users = f"{limit.users:,}"
    due = name_tier(limit.leads_to, language)
    say = sayer(language)
    if limit.metric in ("users", "spread_users"):
        return say(f"{code}-users", users=users, due=due)
    return say(code, users=users, limit=f"{limit.limit:,g}", metric=describe_metric(limit, language), due=due)


def tabulate_limits(assessment: Assessment, language: Language) -> ReportTable:
    """Return the limits of the plan, the nearest first."""
    say = sayer(language)
    rows = tuple(
        (
            capitalise(describe_metric(limit, language)),
            f"{limit.limit:,g}",
            f"{limit.current:,.4g}",
            f"{limit.users:,}",
            f"{limit.memories:,}",
            _when(limit, assessment.today, language),
            describe_due(limit, language),
            name_origin(limit.origin, language),
        )
        for limit in assessment.plan.limits
    )
    names = ("quantity", "limit", "now", "users", "memories", "when", "due", "origin")
    return ReportTable(
        title=say("limits-caption"),
        columns=tuple(say(name) for name in names),
        rows=rows,
        right=frozenset({1, 2, 3, 4}),
        chosen=frozenset({0}),
    )


def _when(limit: Limit, today: date, language: Language) -> Cell:
    say = sayer(language)
    if limit.month is None:
        return Cell(text=say("when-never"), tone="muted")
    if limit.month == 0:
        return Cell(text=say("next-now"), tone="stale")
    return Cell(text=say("when-month", month=limit.month), detail=date_after(today, limit.month))


def tabulate_assumptions(assessment: Assessment, language: Language) -> ReportTable:
    """Return every quantity of the workload and whether it was given."""
    say = sayer(language)
    workload = assessment.workload
    rows: list[tuple[str | Cell, ...]] = []
    for name, driver in drivers().items():
        estimate = workload.drivers[name]
        given = name in workload.given
        origin = say("given") if given else say("default", origin=name_origin(driver.origin, language))
        rows.append(
            (
                Cell(
                    text=driver.help_zh if language == "zh" else driver.help_en, detail=f"{driver.flag}, {driver.unit}"
                ),
                *(f"{value:,.10g}" for value in (estimate.low, estimate.expected, estimate.high)),
                origin,
            )
        )
    return ReportTable(
        title=say("assumptions-caption"),
        columns=(say("quantity"), say("low"), say("expected-column"), say("high"), say("origin")),
        rows=tuple(rows),
        right=frozenset({1, 2, 3}),
    )
