"""What is generated is up to date, and says everything that the program has."""

import ast
import inspect
import json
import re
import tomllib
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from sizing import capacity, errors, footprint, plan, stores
from sizing.cost.strategies import STRATEGIES
from sizing.drivers import drivers
from sizing.models import models
from sizing.regions import regions
from sizing.selection import candidates, rules
from sizing.tables import read_table
from sizing.tiers import tiers
from tests.conftest import SCENARIOS
from tests.docs.pages import FENCE, GUIDES, RUNNABLE, read
from tools import reference_pages, write_docs
from tools.page_commands import Command, page_steps

COMMANDS = {" ".join(names): command for names, command, _ in reference_pages.walk_commands()}


DRAWN = {"docs/reference/stacks.md"}
"""Pages made from the recorded resources of every stack."""


def slow(name: str) -> object:
    """Mark the pages whose blocks need a running service, or every stack."""
    started = any(isinstance(step, Command) and step.is_for_service for step in page_steps(read(name)))
    return pytest.param(name, marks=[pytest.mark.slow] if started or name in DRAWN else [])


@pytest.mark.parametrize("name", [slow(name) for name in write_docs.FILES])
def test_a_reference_page_is_up_to_date(name: str) -> None:
    assert read(name) == write_docs.FILES[name](), f"{name} is stale: run make docs"


@pytest.mark.parametrize("name", [slow(name) for name in write_docs.PAGES])
def test_the_marked_blocks_of_a_page_are_up_to_date(name: str) -> None:
    text = read(name)
    assert text == write_docs.fill_page(text), f"{name} is stale: run make docs"


def test_nothing_else_lies_among_the_generated_pages() -> None:
    root = write_docs.ROOT
    found = {path.relative_to(root).as_posix() for path in (root / "docs/reference").rglob("*") if path.is_file()}
    assert found == set(write_docs.FILES)


def test_every_page_with_marks_is_written_and_closes_them() -> None:
    for name in RUNNABLE:
        text = read(name)
        opened = len(re.findall(r"<!-- (?:generated|output)\b", text))
        assert opened == text.count("<!-- end -->"), name
        assert not opened or name in write_docs.PAGES, f"{name} has marked blocks: add it to PAGES"


def test_the_tiers_table_shows_the_scenarios_of_the_tests() -> None:
    assert {name: workload for name, (_, workload) in write_docs.SCENARIOS.items()} == SCENARIOS


def test_check_names_a_stale_file_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fresh.md").write_text("new\n")
    (tmp_path / "old.md").write_text("old\n")
    monkeypatch.setattr(write_docs, "ROOT", tmp_path)
    monkeypatch.setattr(write_docs, "write_all", lambda: {"fresh.md": "new\n", "old.md": "new\n"})
    monkeypatch.setattr("sys.argv", ["write_docs.py", "--check"])
    assert write_docs.main() == 1
    assert capsys.readouterr().out == "docs: old.md is stale; run make docs\n"
    assert (tmp_path / "old.md").read_text() == "old\n"
    monkeypatch.setattr("sys.argv", ["write_docs.py"])
    assert write_docs.main() == 0
    assert (tmp_path / "old.md").read_text() == "new\n"


# --- the reference is complete


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_on_the_page_of_the_command_line(name: str) -> None:
    page = read("docs/reference/cli.md")
    section = re.search(rf"^## {re.escape(name)}\n+```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert section is not None, name
    for parameter in COMMANDS[name].params:
        for flag in (*parameter.opts, *parameter.secondary_opts):
            if isinstance(parameter, click.Option):
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", section[1]), f"{name} {flag}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not isinstance(parameter.type, click.Choice):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help text"


@pytest.mark.parametrize("name", [name for name in COMMANDS if not isinstance(COMMANDS[name], click.Group)])
def test_every_command_is_used_in_a_guide(name: str) -> None:
    used = [step.line for guide in GUIDES for step in page_steps(read(guide)) if isinstance(step, Command)]
    assert any(re.match(rf"{re.escape(name)}(\s|$)", line) for line in used), f"no guide runs {name}"


def test_every_option_of_the_report_is_named_in_a_guide_or_among_the_drivers() -> None:
    text = "".join(read(name) for name in RUNNABLE)
    missing = [
        parameter.opts[-1]
        for parameter in COMMANDS["reme-size"].params
        if parameter.name not in drivers()
        and not any(re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) for flag in parameter.opts)
    ]
    assert missing in ([], ["--today"])


def test_every_driver_is_listed_with_origin_and_unit() -> None:
    page = read("docs/reference/drivers.md")
    for driver in drivers().values():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{driver.name}` ")), None)
        assert row is not None, driver.name
        assert driver.origin in row
        assert driver.unit in row


def test_every_tier_candidate_rule_and_strategy_is_listed() -> None:
    page = read("docs/reference/rules.md")
    components = {row["component"] for row in read_table("options.csv")}
    names = {*tiers(), *STRATEGIES, *(name for component in components for name in candidates(component))}
    assert not [name for name in names if f"`{name}`" not in page]
    assert page.count("| cannot work |") + page.count("| not advised |") == len(rules())
    assert not [rule.metric for rule in rules() if f"| `{rule.metric}` |" not in page]


def test_every_region_and_model_is_listed() -> None:
    page = read("docs/reference/regions-and-models.md")
    names = [*(region.key for region in regions().values()), *models()]
    assert not [name for name in names if f"| `{name}` |" not in page]


@pytest.mark.parametrize("module", [footprint, stores, capacity])
def test_every_public_formula_is_listed(module: object) -> None:
    page = read("docs/reference/formulas.md")
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == getattr(module, "__name__", "") and not name.startswith("_"):
            assert f"\n### {name}\n" in page
            assert inspect.getdoc(function), f"{name} has no documentation"


def test_every_part_and_field_of_a_plan_is_listed() -> None:
    page = read("docs/reference/plan.md")
    for node in ast.parse(inspect.getsource(plan)).body:
        if isinstance(node, ast.ClassDef):
            section = page.partition(f"\n## {node.name}\n")[2].partition("\n## ")[0]
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    assert f"| `{ast.unparse(field.target)}` |" in section


def test_every_error_is_listed_with_its_exit_code() -> None:
    page = read("docs/reference/exit-codes.md")
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.SizingError) and error is not errors.SizingError:
            assert re.search(rf"\| `{name}` \|.*\| {error.exit_code} \|", page), name


def test_the_workloads_that_pages_show_fit_the_published_schema() -> None:
    schema = json.loads(read("docs/reference/schemas/workload.schema.json"))
    validator = jsonschema.Draft202012Validator(schema)
    checked = 0
    for name in RUNNABLE:
        for block in FENCE.finditer(read(name)):
            if "file=" in block["info"] and block["lang"] in ("toml", "yaml"):
                document = tomllib.loads(block["body"]) if block["lang"] == "toml" else yaml.safe_load(block["body"])
                if "users" in document:
                    validator.validate(document)
                    checked += 1
    assert checked >= 3
