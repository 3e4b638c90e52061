"""The report as plain data, and as a table of one row per component."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sizing.cost.report import Money
from sizing.messages import Language, label, render
from sizing.watch.anomalies import Anomaly
from sizing.watch.budgets import BudgetAlarm
from sizing.watch.comparison import Comparison
from sizing.watch.forecasts import LEVELS, Forecast
from sizing.watch.month_report import WatchReport

SCHEMA_VERSION = 1

CSV_COLUMNS = (
    "month",
    "component",
    "plan_low_usd",
    "plan_expected_usd",
    "plan_high_usd",
    "unpriced_lines",
    "month_to_date_usd",
    "forecast_method",
    "month_end_usd",
    "low_80_usd",
    "high_80_usd",
    "low_95_usd",
    "high_95_usd",
    "difference_usd",
    "ratio",
    "budget_usd",
    "threshold",
    "alarms",
    "plan_error_percent",
    "plan_error_months",
)


def name_component(component: str, language: Language) -> str:
    """Return what people call a component, ``total`` and ``other`` included."""
    own = label(f"watch.component.{component}", language, "")
    return own or label(f"component.{component}", language, component)


def describe_report(report: WatchReport, language: Language = "en") -> dict[str, Any]:
    """Return the report as JSON's own types; amounts are strings of exact decimals, USD."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "reme-size/watch",
        "month": str(report.month),
        "today": report.today.isoformat(),
        "complete_through": report.through.isoformat(),
        "currency": "USD",
        "plan": report.plan_file,
        "total": _describe(report.total),
        "components": [_describe(row) for row in report.components],
        "services": [_describe_service(row) for row in report.services],
        "adjustments": {kind: _text(usd) for kind, usd in report.adjustments.items()},
        "bill_usd": _text(report.bill_usd),
        "findings": [*_describe_findings(report, language)],
        "missing_days": [day.isoformat() for day in report.missing_days],
        "other_products": list(report.other_products),
        "files": [
            {
                "name": file.name,
                "format": file.bill_format,
                "encoding": file.encoding,
                "lines": file.lines,
                "repeated_lines": file.repeated,
                "first_day": file.first_day.isoformat(),
                "last_day": file.last_day.isoformat(),
                "currency": file.currency,
                "amount": _text(file.amount),
            }
            for file in report.files
        ],
        "rates": {currency: str(rate) for currency, rate in report.rates.items()},
        "notes": [
            {"code": code, "values": dict(values), "text": render(code, language, values)}
            for code, values in report.notes
        ],
    }


def to_json(report: WatchReport, language: Language) -> str:
    """Return the report as JSON text; the same input gives the same bytes."""
    return json.dumps(describe_report(report, language), ensure_ascii=False, indent=2) + "\n"


def to_csv(report: WatchReport) -> str:
    """Return one row a component, then the total."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*report.components, report.total):
        writer.writerow({"month": str(report.month), **_flatten(row)})
    return text.getvalue()


def sentence(finding: BudgetAlarm | Anomaly, language: Language) -> str:
    """Return what a finding says."""
    if isinstance(finding, BudgetAlarm):
        code = "to-date" if finding.trigger == "month-to-date" else "forecast"
        return render(
            f"watch.finding.budget-{code}",
            language,
            {
                "component": name_component(finding.budget.component, language),
                "usd": f"{finding.usd:,.2f}",
                "threshold": f"{finding.budget.threshold * 100:f}".rstrip("0").rstrip("."),
                "budget": f"{finding.budget.monthly_usd:,.2f}",
                "origin": finding.budget.origin,
            },
        )
    values = {
        "component": name_component(finding.component, language),
        "usd": f"{finding.usd:,.2f}",
        "day": finding.day.isoformat(),
        "before": f"{finding.before_usd:,.2f}",
        "percent": _percent(finding.usd / finding.before_usd) if finding.before_usd > 0 else "",
    }
    return render("watch.finding.anomaly" if values["percent"] else "watch.finding.anomaly-new", language, values)


def _describe_findings(report: WatchReport, language: Language) -> Iterator[dict[str, Any]]:
    for alarm in report.alarms:
        yield {
            "kind": "budget",
            "component": alarm.budget.component,
            "trigger": alarm.trigger,
            "usd": _text(alarm.usd),
            "budget_usd": _text(alarm.budget.monthly_usd),
            "threshold": str(alarm.budget.threshold),
            "limit_usd": _text(alarm.budget.limit_usd),
            "origin": alarm.budget.origin,
            "text": sentence(alarm, language),
        }
    for anomaly in report.anomalies:
        yield {
            "kind": "anomaly",
            "component": anomaly.component,
            "day": anomaly.day.isoformat(),
            "usd": _text(anomaly.usd),
            "day_before_usd": _text(anomaly.before_usd),
            "text": sentence(anomaly, language),
        }


def _describe(row: Comparison) -> dict[str, Any]:
    return {
        "component": row.name,
        "plan_usd": _describe_money(row.plan),
        "unpriced_lines": row.unpriced,
        "month_to_date_usd": _text(row.month_to_date_usd),
        "forecast": _describe_forecast(row.forecast),
        "difference_usd": _maybe(row.difference_usd),
        "ratio": _maybe(row.ratio),
        "budget": None
        if row.budget is None
        else {
            "monthly_usd": _text(row.budget.monthly_usd),
            "threshold": str(row.budget.threshold),
            "origin": row.budget.origin,
        },
        "alarms": [alarm.trigger for alarm in row.alarms],
        "shared_by_plan": row.shared,
        "plan_error": None
        if row.error is None
        else {"mape_percent": str(row.error.percent), "months": [str(month) for month in row.error.months]},
    }


def _describe_service(row: Comparison) -> dict[str, Any]:
    return {
        "service": row.name,
        "plan_usd": _describe_money(row.plan),
        "unpriced_lines": row.unpriced,
        "month_to_date_usd": _text(row.month_to_date_usd),
        "forecast": _describe_forecast(row.forecast),
        "difference_usd": _maybe(row.difference_usd),
        "ratio": _maybe(row.ratio),
    }


def _describe_forecast(forecast: Forecast) -> dict[str, Any]:
    return {
        "method": forecast.method,
        "model": forecast.model,
        "alpha": forecast.alpha,
        "beta": forecast.beta,
        "days_known": forecast.days_known,
        "days_ahead": forecast.days_ahead,
        "month_end_usd": _maybe(forecast.month_end_usd),
        "intervals": {
            str(percent): {"low_usd": _text(low), "high_usd": _text(high)}
            for percent, (low, high) in forecast.intervals.items()
        },
    }


def _describe_money(money: Money | None) -> Mapping[str, str] | None:
    if money is None:
        return None
    return {"low": str(money.low), "expected": str(money.expected), "high": str(money.high)}


def _flatten(row: Comparison) -> dict[str, object]:
    forecast = row.forecast
    intervals = forecast.intervals
    bounds: Iterable[tuple[str, Decimal]] = (
        (f"{side}_{percent}_usd", bound)
        for percent in LEVELS
        if percent in intervals
        for side, bound in zip(("low", "high"), intervals[percent], strict=True)
    )
    return {
        "component": row.name,
        "plan_low_usd": _maybe(row.plan.low if row.plan else None),
        "plan_expected_usd": _maybe(row.plan.expected if row.plan else None),
        "plan_high_usd": _maybe(row.plan.high if row.plan else None),
        "unpriced_lines": row.unpriced,
        "month_to_date_usd": _text(row.month_to_date_usd),
        "forecast_method": forecast.method,
        "month_end_usd": _maybe(forecast.month_end_usd),
        **{column: _text(bound) for column, bound in bounds},
        "difference_usd": _maybe(row.difference_usd),
        "ratio": _maybe(row.ratio),
        "budget_usd": _maybe(row.budget.monthly_usd if row.budget else None),
        "threshold": str(row.budget.threshold) if row.budget else "",
        "alarms": " ".join(alarm.trigger for alarm in row.alarms),
        "plan_error_percent": str(row.error.percent) if row.error else "",
        "plan_error_months": len(row.error.months) if row.error else "",
    }


def _percent(ratio: Decimal) -> str:
    """Write a share in whole percent, rounded up: what alarms lies above 150 % and must not read as 150 %."""
    return f"{(ratio * 100).quantize(Decimal(1), rounding=ROUND_CEILING):,}"


def _text(usd: Decimal) -> str:
    return f"{usd:f}"


def _maybe(usd: Decimal | None) -> str | None:
    return None if usd is None else _text(usd)
