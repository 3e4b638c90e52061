"""The document between the job that looks and the job that posts."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from infra.preview.errors import InvalidResult
from infra.preview.result import MAX_FILE_MB, StackResult, read_result, result_schema, write_result
from infra.preview.spending import Counts, Parts, StackCost
from tests.infra.preview.results import calm, production, row, spend, whole


def test_a_written_result_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(write_result(whole()), encoding="utf-8")
    assert read_result(path) == whole()


def test_a_written_result_fits_its_schema() -> None:
    schema = result_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(write_result(whole())))


def test_money_is_text() -> None:
    written = json.loads(write_result(whole()))
    assert written["stacks"][1]["cost"]["after"]["baseline"]["expected"] == "30.37"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.update(schema_version=2),
        lambda document: document.update(unheard_of=1),
        lambda document: document["stacks"][0].update(status="fine"),
        lambda document: document["stacks"][0].update(error="x" * 5000),
        lambda document: document["stacks"][1]["cost"]["after"]["baseline"].update(expected="NaN"),
        lambda document: document["stacks"][1]["cost"]["after"]["baseline"].update(expected="1e400"),
        lambda document: document["stacks"][1]["cost"]["rows"].clear(),
        lambda document: document["stacks"][1]["cost"]["counts_after"].update(total=7),
    ],
)
def test_a_document_that_is_no_result_is_refused(tmp_path: Path, spoil: object) -> None:
    document = json.loads(write_result(whole()))
    spoil(document)  # type: ignore[operator]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InvalidResult, match=r"is no result of reme-preview"):
        read_result(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with path.open("wb") as file:
        file.truncate((MAX_FILE_MB + 1) * 1_000_000)
    with pytest.raises(InvalidResult, match=f"{MAX_FILE_MB} is the most"):
        read_result(path)


def test_counts_must_add_up() -> None:
    with pytest.raises(ValidationError, match="add up to 3, not to the total of 4"):
        Counts(priced=1, free=2, total=4)


def test_rows_must_add_up() -> None:
    with pytest.raises(ValidationError, match="rows after add up"):
        StackCost(after=Parts(baseline=spend("10")), rows=(row("compute", None, "9.99"),))


def test_totals_are_those_of_the_stacks() -> None:
    result = whole()
    assert result.after.total.expected == Decimal("1452.11")
    assert result.delta.expected == Decimal("421.94")
    assert result.after.unpriced == 1


def test_a_stack_that_failed_blocks() -> None:
    failed = StackResult(name="aws-dev", status="failed", how="offline", error="the program ended with an error")
    assert whole(failed).verdict == "block"


def test_what_changes() -> None:
    assert whole(production()).changed
    assert not whole(calm()).changed
