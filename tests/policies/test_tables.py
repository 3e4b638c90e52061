"""The tables of the policies: whole, sourced, and about kinds and properties that exist."""

import importlib
import inspect
import re
import warnings
from pathlib import Path

import pytest

from policies import kinds
from policies.register import all_rules, rule_ids
from policies.settings import ENVIRONMENTS, PolicySettings, read_waivers
from policies.tables import DATA, read_csv, read_table

TABLES = sorted(path.name for path in DATA.glob("*.csv"))


@pytest.mark.parametrize("name", [name for name in TABLES if name != "levels.csv"])
def test_every_row_has_a_source(name: str) -> None:
    rows = read_table(name)
    assert rows
    assert all(row["source"] for row in rows)


def test_every_rule_has_a_level_everywhere_and_no_level_lacks_its_rule() -> None:
    rows = read_table("levels.csv")
    assert sorted(row["rule"] for row in rows) == sorted(rule_ids())
    assert {row[name] for row in rows for name in ENVIRONMENTS} <= {"mandatory", "advisory", "disabled"}


def test_an_environment_is_no_laxer_than_the_one_before_it() -> None:
    order = ("disabled", "advisory", "mandatory")
    for row in read_table("levels.csv"):
        if not row["rule"].startswith("budget"):
            dev, team, staging, prod = (order.index(row[name]) for name in ("dev", "team", "staging", "prod"))
            assert dev <= team <= staging <= prod, row["rule"]


def test_waivers_name_rules() -> None:
    assert {waiver.rule for waiver in read_waivers()} <= rule_ids()


def test_every_threshold_and_budget_is_readable() -> None:
    for environment in ENVIRONMENTS:
        settings = PolicySettings.model_validate({"environment": environment})
        assert settings.budget_limits.monthly_usd
        for row in read_table("thresholds.csv"):
            assert settings.threshold(row["name"]) >= 0


def test_rules_of_aws_name_what_asks_for_them() -> None:
    known = re.compile(r"[A-Za-z0-9]+\.\d+|CKV2?_(AWS|ALI)_\d+")
    for rule in all_rules():
        assert all(known.fullmatch(name) for name in rule.frameworks), rule.id


def test_a_level_of_an_unknown_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "nothing.csv")


def _find_class(token: str) -> type | None:
    package, module, name = token.split(":")
    folder = {"lambda": "lambda_"}.get(module.partition("/")[0], module.partition("/")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK of its own modules, while it imports them
        return getattr(importlib.import_module(f"pulumi_{package}.{folder}"), name, None)


def _properties(token: str) -> set[str]:
    found = _find_class(token)
    assert found is not None, f"{token} is in no SDK"
    names = inspect.signature(found._internal_init).parameters  # type: ignore[attr-defined]
    return {re.sub(r"_([a-z0-9])", lambda hit: hit[1].upper(), name) for name in names}


TOKENS = sorted(
    value
    for name, value in vars(kinds).items()
    if name.startswith(("AWS_", "ALI_")) and isinstance(value, str) and not value.startswith("pulumi:")
)


@pytest.mark.slow
@pytest.mark.parametrize("token", TOKENS)
def test_every_kind_and_its_properties_are_in_the_sdk(token: str) -> None:
    read = {path for rule in all_rules() for kind, path in rule.reads if kind == token}
    top = {re.split(r"[.\[]", path, maxsplit=1)[0] for path in read}
    assert top <= _properties(token)


@pytest.mark.slow
def test_taggable_kinds_have_tags_in_the_sdk() -> None:
    taggable = {row["kind"] for row in read_table("taggable.csv")}
    for token in TOKENS:
        assert (token in taggable) == ("tags" in _properties(token)), token
