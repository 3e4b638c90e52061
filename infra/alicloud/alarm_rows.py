"""Which alarms of a plan this cloud watches, and by what: ``infra/data/alicloud_metrics.csv``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from infra.alarms import Alarm, list_applicable, list_parts
from infra.errors import InfraError
from infra.tables import read_table
from sizing.plan import RegionPlan

METRICS_TABLE = "alicloud_metrics.csv"
MORE_THAN = "GreaterThanThreshold"
Row = Mapping[str, str]


class TooFewWatched(InfraError):
    """The plan pays for more alarms than this cloud is known to watch."""

    def __init__(self, wanted: int, watched: int, missing: Sequence[str]) -> None:
        super().__init__(
            f"the plan has {wanted} alarms, and infra/data/{METRICS_TABLE} has what watches {watched} of those for "
            f"what it makes (none for {', '.join(missing) or 'any more'}): add rows, or keep the vectors on nodes of "
            "the stack, which have alarms of their own"
        )


def choose_watched(plan: RegionPlan) -> tuple[tuple[Alarm, Row], ...]:
    """As many alarms as the plan pays for, each with what watches it; the most important first.

    One that nothing here says is left out, and the next takes its place. A row with `most_percent` has a share where
    the alarm has a figure, and more than that is wrong. Raises TooFewWatched.
    """
    # nobody reads the service's own metrics here; the line of a degraded search stands for its count in a cluster
    scraped = plan.compute.placement == "cluster"
    parts = list_parts(plan, scraped=scraped)
    # certificates are not CloudMonitor's
    alarms = list_applicable(plan, certificate=False, scraped=scraped)
    rows = {alarm.name: find_row(alarm.name, parts) for alarm in alarms}
    found = [(_limit(alarm, row), row) for alarm in alarms if (row := rows[alarm.name]) is not None]
    if len(found) < plan.monitoring.alarms:
        missing = [name for name, row in rows.items() if row is None]
        raise TooFewWatched(plan.monitoring.alarms, len(found), missing)
    return tuple(found[: plan.monitoring.alarms])


def find_row(alarm: str, parts: Collection[str]) -> Row | None:
    """What watches an alarm in a plan that makes `parts`: the first row of it; None where nothing is known to."""
    rows = (row for row in read_table(METRICS_TABLE) if row["alarm"] == alarm)
    return next((row for row in rows if not row["needs"] or row["needs"] in parts), None)


def _limit(alarm: Alarm, row: Row) -> Alarm:
    if not row["most_percent"]:
        return alarm
    return replace(alarm, comparison=MORE_THAN, threshold=float(row["most_percent"]))
