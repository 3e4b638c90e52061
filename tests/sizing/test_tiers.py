"""The tier rules at their edges, with reasons; refusals; and every override that cannot work."""

import pytest

from sizing.errors import ImpossiblePlan, InvalidWorkload
from sizing.messages import LANGUAGES, messages, render
from sizing.planner import size
from sizing.selection import candidates, rules
from sizing.tables import read_table
from sizing.workload_document import read_workload


def tier_of(**document: object) -> str:
    return size(read_workload(document)).tier


@pytest.mark.parametrize(
    ("document", "tier"),
    [
        ({"users": 1}, "single-host"),
        ({"users": 100}, "single-host"),
        ({"users": 101}, "ha"),
        ({"users": 1000}, "ha"),
        ({"users": 1001}, "multi-region"),
        # §2.2: PostgreSQL is advised above 10 GB; few users and no availability asked: Qdrant beside the service.
        ({"users": 100, "memories_per_user": 5000}, "single-host"),
        ({"users": 100, "memories_per_user": 5001}, "single-host-qdrant"),
        ({"users": 101, "memories_per_user": 5001}, "ha"),
        # §3.1: SQLite serves fewer than 10 at a time.
        ({"users": 50, "retrieves_per_user_day": 14_000}, "single-host-qdrant"),
        # What one host can promise.
        ({"users": 50, "availability_percent": 99.5}, "single-host"),
        ({"users": 50, "availability_percent": 99.9}, "ha"),
        ({"users": 50, "availability_percent": 99.0, "memories_per_user": 20_000}, "ha"),
        ({"users": 50, "availability_percent": 99.99}, "multi-region"),
        # §3.2: above 1 TB the large tier.
        ({"users": 500, "memories_per_user": 100_001}, "multi-region"),
        # One region by wish or by law keeps it in one.
        ({"users": 5000, "regions": [{"region": "aws:eu-west-1"}]}, "ha"),
        ({"users": 5000, "residency": "cn"}, "ha"),
        ({"users": 5, "regions": [{"region": "aws:eu-west-1"}, {"region": "aws:us-east-1"}]}, "multi-region"),
    ],
)
def test_tier_at_the_edges(document: dict[str, object], tier: str) -> None:
    assert tier_of(**document) == tier


def test_the_reason_names_value_and_limit() -> None:
    plan = size(read_workload({"users": 340}))
    texts = [render(reason.code, "en", reason.values) for reason in plan.choice("tier").reasons]
    assert "340 users are more than 100" in texts


@pytest.mark.parametrize("users", [50, 500, 5000])
def test_every_choice_has_a_reason_and_every_other_candidate_its_own(users: int) -> None:
    plan = size(read_workload({"users": users}))
    for choice in plan.choices:
        assert choice.reasons
        assert {choice.chosen, *(r.candidate for r in choice.rejected)} == set(candidates(choice.component))
        for rejection in choice.rejected:
            assert rejection.reasons
            for reason in rejection.reasons:
                for language in LANGUAGES:
                    assert render(reason.code, language, reason.values)


@pytest.mark.parametrize(
    ("document", "overrides", "words"),
    [
        ({"users": 500}, {"database": "sqlite"}, ["sqlite", "2 nodes", "postgresql"]),
        ({"users": 500}, {"vector_store": "sqlite-vec"}, ["sqlite-vec", "nodes"]),
        ({"users": 500}, {"vector_store": "chromadb"}, ["chromadb", "cluster"]),
        ({"users": 500}, {"vector_store": "qdrant-same-host"}, ["qdrant-same-host"]),
        ({"users": 500}, {"object_store": "local"}, ["local", "disk"]),
        ({"users": 500}, {"cache": "in-process"}, ["in-process"]),
        ({"users": 500}, {"balancer": "none"}, ["none", "address"]),
        ({"users": 50}, {"vector_store": "pgvector"}, ["pgvector", "SQLite"]),
        ({"users": 50, "memories_per_user": 200_000, "memory_bytes": 50_000}, {"tier": "single-host", "database": "sqlite"}, ["refused"]),
        ({"users": 50, "residency": "cn"}, {"tier": "multi-region"}, ["1 region"]),
        ({"users": 50, "regions": [{"region": "aws:eu-west-1"}, {"region": "aws:us-east-1"}]}, {"tier": "ha"}, ["2 regions"]),
    ],
)  # fmt: skip
def test_an_override_that_cannot_work_is_refused_with_the_reason(
    document: dict[str, object], overrides: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(ImpossiblePlan) as caught:
        size(read_workload({**document, "overrides": overrides}))
    for word in words:
        assert word in str(caught.value)
    assert "Possible:" in str(caught.value)


def test_a_poor_override_is_taken_with_a_warning() -> None:
    plan = size(read_workload({"users": 500, "overrides": {"tier": "single-host"}}))
    assert plan.tier == "single-host"
    assert plan.choice("tier").overridden
    assert [reason.code for reason in plan.choice("tier").warnings] == ["users-above"]


def test_two_nodes_on_a_single_host_contradict() -> None:
    with pytest.raises(InvalidWorkload, match="tier ha"):
        size(
            read_workload(
                {
                    "users": 50,
                    "regions": [{"region": "aws:us-east-1", "nodes": 2}],
                    "overrides": {"tier": "single-host"},
                }
            )
        )


def test_an_unknown_candidate_lists_the_known_ones() -> None:
    with pytest.raises(InvalidWorkload, match="qdrant-same-host"):
        size(read_workload({"users": 50, "overrides": {"vector_store": "pinecone"}}))


def test_every_rule_speaks_of_a_known_candidate_and_has_a_source_and_messages() -> None:
    for rule in rules():
        assert rule.candidate in candidates(rule.component)
        assert rule.origin
        for language in LANGUAGES:
            text = render(rule.message, language, {"candidate": "c", "value": "v", "limit": "l"})
            assert text


def test_all_messages_exist_in_both_languages_with_the_same_placeholders() -> None:
    import string

    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for code, english in messages("en").items():
        chinese = messages("zh")[code]
        assert english, code
        assert chinese, code
        assert fields(english) == fields(chinese), code


def test_no_message_code_is_given_twice() -> None:
    from sizing.tables import table_names

    codes = [row["code"] for name in table_names() if name.startswith("messages/") for row in read_table(name)]
    assert len(codes) == len(set(codes))
