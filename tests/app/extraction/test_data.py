"""Every row of the data files does what its example says, and leaves what its counterexample says."""

import csv

import pytest

from app.backends.extractors.personal import find_statements
from app.backends.extractors.rules import (
    DATA,
    Frame,
    FrameRule,
    MarkerRule,
    StatementRule,
    frame_rules,
    marker_rules,
    statement_rules,
)
from app.backends.extractors.sentences import fold, split_sentences


def _of_name(rule: StatementRule | FrameRule | MarkerRule) -> str:
    return rule.name


@pytest.mark.parametrize("rule", statement_rules(), ids=_of_name)
def test_a_statement_rule_takes_its_example(rule: StatementRule) -> None:
    assert rule.name in [found.rule.name for found in find_statements(rule.example)]


@pytest.mark.parametrize("rule", statement_rules(), ids=_of_name)
def test_a_statement_rule_leaves_its_counterexample(rule: StatementRule) -> None:
    assert rule.name not in [found.rule.name for found in find_statements(rule.counterexample)]


@pytest.mark.parametrize("rule", statement_rules(), ids=_of_name)
def test_a_statement_rule_is_whole(rule: StatementRule) -> None:
    assert rule.language in {"en", "zh"}
    assert 0.5 <= rule.score <= 1.0
    assert rule.subject
    assert all(rule.tags)
    assert rule.example != rule.counterexample
    assert ("{thing}" in rule.slot) <= ("thing" in rule.pattern.groupindex)


def _is_framed(rule: FrameRule, text: str) -> bool:
    folded = fold(text)
    if rule.frame in {Frame.LEAD_IN, Frame.SUBORDINATE, Frame.SUBJECTLESS}:
        return rule.pattern.match(folded) is not None
    return any(rule.pattern.search(sentence.of(folded)) for sentence in split_sentences(folded))


@pytest.mark.parametrize("rule", frame_rules(), ids=_of_name)
def test_a_frame_rule_knows_its_example_from_its_counterexample(rule: FrameRule) -> None:
    assert _is_framed(rule, rule.example)
    assert not _is_framed(rule, rule.counterexample)


@pytest.mark.parametrize(
    "rule", [rule for rule in frame_rules() if rule.frame in {Frame.CLAUSE, Frame.SENTENCE, Frame.REST}], ids=_of_name
)
def test_nothing_is_stated_inside_a_frame(rule: FrameRule) -> None:
    assert list(find_statements(rule.example)) == []


@pytest.mark.parametrize("rule", marker_rules(), ids=_of_name)
def test_a_marker_knows_its_example_from_its_counterexample(rule: MarkerRule) -> None:
    assert rule.marks in {"error", "success"}
    assert rule.pattern.search(rule.example)
    assert not rule.pattern.search(rule.counterexample)


@pytest.mark.parametrize(
    "rules", [statement_rules(), frame_rules(), marker_rules()], ids=["personal", "frames", "markers"]
)
def test_names_are_not_used_twice(rules: tuple[StatementRule | FrameRule | MarkerRule, ...]) -> None:
    names = [rule.name for rule in rules]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["personal.csv", "frames.csv", "markers.csv", "words.csv"])
def test_files_are_clean_csv(name: str) -> None:
    rows = list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))
    assert rows
    for row in rows:
        assert None not in row.values()
        assert all(cell == cell.strip() for column, cell in row.items() if column not in {"pattern", "words"})


def test_both_languages_know_the_same_subjects() -> None:
    subjects = {
        language: {rule.subject for rule in statement_rules() if rule.language == language} for language in ("en", "zh")
    }
    assert subjects["zh"] <= subjects["en"]
    assert subjects["en"] <= subjects["zh"]
