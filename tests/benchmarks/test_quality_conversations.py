"""Public sets: tiny files of our own in their formats, and what is said about wrong ones."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.backends.embedders.hashing import HashingEmbedder
from benchmarks.__main__ import main
from benchmarks.errors import BenchmarkError
from benchmarks.quality.conversations import read_locomo, read_longmemeval
from benchmarks.quality.embeddings import KeptEmbedder
from benchmarks.quality.evaluation import ALL, evaluate
from benchmarks.quality.metrics import bootstrap
from benchmarks.quality.question_sets import KEY
from benchmarks.quality.systems import SERVICE

LOCOMO: list[dict[str, Any]] = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Mara",
            "speaker_b": "Odd",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Mara", "dia_id": "D1:1", "text": "I adopted a greyhound yesterday."},
                {"speaker": "Odd", "dia_id": "D1:2", "text": "Lovely!", "blip_caption": "a dog on a sofa"},
            ],
            "session_2_date_time": "9:05 am on 1 June, 2023",
            "session_2": [{"speaker": "Odd", "dia_id": "D2:1", "text": "My bakery opens on Monday."}],
        },
        "qa": [
            {
                "question": "Which dog did Mara adopt?",
                "answer": "a greyhound",
                "evidence": ["D1:1; D1:2"],
                "category": 1,
            },
            {"question": "What does Odd open?", "answer": "a bakery", "evidence": ["D2:1"], "category": 4},
            {"question": "Which cat did Odd adopt?", "evidence": ["D1:1"], "category": 5},
            {"question": "Anything else?", "answer": "no", "evidence": ["D9:9"], "category": 3},
        ],
    }
]
LONGMEMEVAL: list[dict[str, Any]] = [
    {
        "question_id": "q1",
        "question_type": "single-talk-user",
        "question": "What did I adopt?",
        "haystack_session_ids": ["s1", "s2"],
        "haystack_dates": ["2023/05/08 (Mon) 13:56", "2023/06/01 (Thu) 09:05"],
        "haystack_sessions": [
            [
                {"role": "user", "content": "I adopted a greyhound.", "has_answer": True},
                {"role": "assistant", "content": "Good!"},
            ],
            [{"role": "user", "content": "The weather is bad."}],
        ],
        "answer_session_ids": ["s1"],
    }
]


def write(folder: Path, document: object) -> Path:
    path = folder / "set.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_turns_keep_their_words_times_and_ids(tmp_path: Path) -> None:
    found = read_locomo(write(tmp_path, LOCOMO))
    collection = found.collections[0]
    assert [item.draft.content for item in collection.items] == [
        "Mara: I adopted a greyhound yesterday.",
        "Odd: Lovely! [image: a dog on a sofa]",
        "Odd: My bakery opens on Monday.",
    ]
    assert [item.draft.metadata[KEY] for item in collection.items] == ["D1:1", "D1:2", "D2:1"]
    first_ms = collection.items[0].draft.created_ms
    assert first_ms is not None
    assert datetime.fromtimestamp(first_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M") == "2023-05-08 13:57"


def test_questions_have_their_evidence_and_adversarial_ones_none(tmp_path: Path) -> None:
    found = read_locomo(write(tmp_path, LOCOMO))
    assert [(one.kind, [sorted(each) for each in one.evidence]) for one in found.collections[0].questions] == [
        ("multi-hop", [["D1:1"], ["D1:2"]]),
        ("single-hop", [["D2:1"]]),
        ("adversarial", []),
    ]
    assert found.facts == {"without_evidence": 1}


def test_evidence_of_a_history_is_its_marked_turns_or_its_sessions(tmp_path: Path) -> None:
    marked = read_longmemeval(write(tmp_path, LONGMEMEVAL)).collections[0].questions[0]
    assert marked.evidence == (frozenset({"s1/1"}),)
    document = deepcopy(LONGMEMEVAL)
    del document[0]["haystack_sessions"][0][0]["has_answer"]
    assert read_longmemeval(write(tmp_path, document)).collections[0].questions[0].evidence == (
        frozenset({"s1/1", "s1/2"}),
    )
    document[0]["question_id"] = "q1_abs"
    assert read_longmemeval(write(tmp_path, document)).collections[0].questions[0].evidence == ()


def test_a_set_is_measured(tmp_path: Path) -> None:
    embedder = KeptEmbedder(HashingEmbedder(), tmp_path / "vectors.db")
    figures, _ = evaluate(read_locomo(write(tmp_path, LOCOMO)), embedder, lambda _: None)
    embedder.close()
    assert bootstrap(figures.gather(SERVICE, "recall_5", ALL)).mean == 1.0
    assert figures.gather(SERVICE, "mrr", "single-hop") == {"conv-1": [1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "is no JSON in UTF-8"),
        ({}, "holds no list of objects"),
        ([], "holds no list of objects"),
        ([{"qa": []}], '"conversation" is missing, a dict is needed'),
        ([{"conversation": {}, "qa": []}], 'has no "session_1"'),
        ([{"conversation": {"session_1": {}}, "qa": []}], '"session_1" is no list of turns'),
        ([{"conversation": {"session_1": [{"speaker": "A", "text": "b"}]}, "qa": []}], '"dia_id" is missing'),
        (
            [{"conversation": {"session_1": [], "session_1_date_time": "soon"}, "qa": []}],
            "'soon' is no time such as 01:56 PM on 08 May, 2023",
        ),
    ],
)
def test_wrong_files_are_told_apart(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        read_locomo(write(tmp_path, change))


def test_histories_need_as_many_ids_as_sessions(tmp_path: Path) -> None:
    document = deepcopy(LONGMEMEVAL)
    document[0]["haystack_session_ids"].pop()
    with pytest.raises(BenchmarkError, match="2 talks, 1 ids and 2 dates"):
        read_longmemeval(write(tmp_path, document))


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["quality", "--suite", "locomo"])
    assert (told.exit_code, "give the path of its file with --data" in told.output) == (1, True)
    told = CliRunner().invoke(main, ["quality", "--suite", "locomo", "--data", str(tmp_path / "none.json")])
    assert (told.exit_code, "none.json cannot be read" in told.output) == (1, True)
