"""What a stack's policies are told: its environment, its limits, and what it is excused from."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.errors import InvalidSettings
from policies.tables import FOLDER, read_csv, read_table

Level = Literal["mandatory", "advisory", "disabled"]
ENVIRONMENTS: Final = ("dev", "team", "staging", "prod", "global", "cn")
RESIDENCIES: Final = ("cn", "eu")
STRICTEST: Final = "prod"
"""What a stack counts as where nothing says which environment it is."""
WAIVERS: Final = FOLDER / "waivers.csv"


class Waiver(BaseModel):
    """A rule that resources are excused from, for a reason, through its last day; `urn` is a pattern (`*`, `?`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    urn: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=10)]
    expires: date


class BudgetLimits(BaseModel):
    """Limits in USD a month, low ones first; a limit that is not given is not checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    monthly_usd: Annotated[Decimal, Field(gt=0)] | None = None
    growth_usd: Annotated[Decimal, Field(ge=0)] | None = None
    growth_percent: Annotated[Decimal, Field(ge=0)] | None = None
    services: Mapping[str, Decimal] = Field(default_factory=dict)


class PolicySettings(BaseModel):
    """Everything that rules are told besides the resources.

    `residency` is the jurisdiction that data must not leave (`cn`, `eu`, or empty); environment `cn` implies `cn`.
    `levels` and `thresholds` are said over the tables' for the environment; `regions` (such as `aws/us-east-1`) stand
    instead of the table's. `today` decides which waivers hold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Literal["dev", "team", "staging", "prod", "global", "cn"] = STRICTEST
    residency: Literal["", "cn", "eu"] = ""
    levels: Mapping[str, Level] = Field(default_factory=dict)
    thresholds: Mapping[str, float] = Field(default_factory=dict)
    regions: tuple[str, ...] = ()
    required_tags: tuple[str, ...] = ("project", "environment", "stack", "component", "managed-by")
    budget: BudgetLimits | None = None
    waivers: tuple[Waiver, ...] = ()
    today: date = Field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def home(self) -> str:
        """The jurisdiction that data must stay in, or nothing."""
        return self.residency or ("cn" if self.environment == "cn" else "")

    def level_of(self, rule_id: str) -> Level:
        """How a rule is enforced here. Raises InvalidSettings for a rule that the table does not have."""
        said = self.levels.get(rule_id)
        if said is not None:
            return said
        for row in read_table("levels.csv"):
            if row["rule"] == rule_id:
                level: Any = row[self.environment]
                return level  # type: ignore[no-any-return]
        raise InvalidSettings(f"no level is known for the rule {rule_id}: add a row to policies/data/levels.csv")

    def threshold(self, name: str) -> float:
        """A limit of this environment, such as `backup_days`. Raises InvalidSettings for an unknown one."""
        if name in self.thresholds:
            return self.thresholds[name]
        for row in read_table("thresholds.csv"):
            if row["name"] == name:
                return float(row[self.environment])
        raise InvalidSettings(f"no threshold is known as {name}: add a row to policies/data/thresholds.csv")

    @property
    def budget_limits(self) -> BudgetLimits:
        """The budget that is given, or the environment's of the table."""
        if self.budget is not None:
            return self.budget
        rows = [row for row in read_table("budgets.csv") if row["environment"] == self.environment]
        named = {row["limit"]: Decimal(row["value"]) for row in rows if not row["service"]}
        services = {row["service"]: Decimal(row["value"]) for row in rows if row["service"]}
        return BudgetLimits(**named, services=services)


def read_settings(document: Mapping[str, Any], known_rules: frozenset[str] | None = None) -> PolicySettings:
    """Settings from the `policies` part of a file or from a pack's configuration.

    Raises InvalidSettings for unknown keys, values or rules.
    """
    try:
        settings = PolicySettings.model_validate(document)
    except ValidationError as fault:
        raise InvalidSettings(_explain(fault)) from None
    if known_rules is not None:
        named = (*settings.levels, *(each.rule for each in settings.waivers))
        for rule in named:
            if rule not in known_rules:
                raise InvalidSettings(f"there is no rule {rule!r}: docs/reference/policies.md lists them")
    return settings


def read_waivers(path: Any = WAIVERS) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises InvalidSettings for a row that is unusable."""
    try:
        return tuple(Waiver.model_validate(row) for row in read_csv(path))
    except ValidationError as fault:
        raise InvalidSettings(f"{path}: {_explain(fault)}") from None


def find_environment(stack: str, config: Mapping[str, str], tags: Mapping[str, str] | None = None) -> str:
    """The environment of a stack: its tag, else its configuration's key `environment`, else a word of its name.

    `config` has the engine's names of keys (`reme-cloud:environment`). Where nothing says it, the strictest.
    """
    said = (tags or {}).get("environment") or next(
        (value for key, value in config.items() if key.rpartition(":")[2] == "environment"), ""
    )
    words = [said, *stack.rpartition("/")[2].split("-")] if said else stack.rpartition("/")[2].split("-")
    return next((word for word in words if word in ENVIRONMENTS), STRICTEST)


def find_residency(stack: str, config: Mapping[str, str]) -> str:
    """The jurisdiction that a stack's data must not leave: its configuration's key `residency`, else the one of its
    workload, else China's for a stack that is named after it. Empty where nothing says one.

    `config` has the engine's names of keys; a workload is JSON.
    """
    said = {key.rpartition(":")[2]: value for key, value in config.items()}
    words = "cn" if "cn" in stack.rpartition("/")[2].split("-") else ""
    named = (said.get("residency"), _read_object(said.get("workload", "")).get("residency"), words)
    return next((str(each) for each in named if each in RESIDENCIES), "")


def _read_object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _explain(fault: ValidationError) -> str:
    first = fault.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
