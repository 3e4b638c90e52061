"""Shortening: nothing is lost, calls keep their answers, limits are kept or it is said why not."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.access import Role
from app.domain.memory import JsonObject
from app.domain.working import OffloadKind, WorkingMode
from app.errors import Forbidden, InvalidRequest, ModelUnavailable, NotFound, PayloadTooLarge, SpendCapReached
from app.service.working import WorkingMemory
from app.service.working.messages import find_units
from app.service.working.tokens import count_messages, count_text, shorten
from tests.app.service.conftest import principal
from tests.app.service.working.conftest import (
    ANN,
    WORKSPACE,
    Desk,
    ScriptedModel,
    answer,
    call,
    limits,
    make_desk,
    read_text,
    research,
    restore,
    result,
    say,
    use_tool,
)

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.builds(lambda text, times: text * times, st.sampled_from(["word ", "咖啡", "x", "a\n"]), st.integers(1, 900)),
)


KINDS = ("user", "assistant", "system", "call", "parallel", "late", "stray", "blocks", "anthropic", "agentscope")


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns of every kind: calls with one or several answers, late, repeated or missing ones, unknown fields."""
    said: list[dict[str, Any]] = []
    for turn in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(KINDS))
        text = draw(TEXTS)
        extra: dict[str, Any] = draw(st.sampled_from([{}, {"metadata": {"a": [1, None, 0.1]}}, {"x_unknown": "键"}]))
        call_id = draw(st.sampled_from([f"c{turn}", "c"]))
        if kind in ("user", "assistant", "system"):
            said.append(say(kind, text, **extra))
        elif kind == "call":
            said += [call(call_id), answer(call_id, text, **extra)]
        elif kind == "parallel":
            both = {**call(call_id), "tool_calls": [*call(call_id)["tool_calls"], *call(f"{call_id}b")["tool_calls"]]}
            said += [both, answer(f"{call_id}b", text), answer(call_id, text + "!", **extra)]
        elif kind == "late":
            said += [call(call_id), say("user", "still there?"), answer(call_id, text)]
        elif kind == "anthropic":
            said += [use_tool(call_id), result(call_id, text)]
        elif kind == "agentscope":
            said += [use_tool(call_id), result(call_id, text, role="system")]
        elif kind == "stray":
            said.append(answer("nobody", text, **extra))
        else:
            said.append(say("user", [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "x"}}]))
    return said


def shorten_by_rules(working: WorkingMemory, said: Sequence[JsonObject], **given: Any) -> Any:
    return working.shorten(ANN, WORKSPACE, said, limits=limits(**given))


def check_pairs(messages: Sequence[dict[str, Any]]) -> None:
    """Every answer of a tool follows its call, and every call that was answered still is."""
    opened: set[str] = set()
    for message in messages:
        blocks = [block for block in message["content"] if isinstance(block, dict)]
        opened |= {each["id"] for each in message.get("tool_calls", ())}
        opened |= {block["id"] for block in blocks if block["type"] == "tool_use"}
        results = [block for block in blocks if block["type"] == "tool_result"]
        answered = {block.get("tool_use_id") or block["id"] for block in results} | {message.get("tool_call_id")}
        assert answered - {None, "nobody"} <= opened


def is_instruction(message: JsonObject) -> bool:
    return message["role"] == "system" and isinstance(message["content"], str)


@settings(max_examples=150)
@given(
    said=conversations(),
    mode=st.sampled_from(list(WorkingMode)),
    most=st.integers(1, 3_000),
    most_tool=st.integers(1, 400),
    group=st.integers(1, 1_500),
    recent=st.integers(0, 6),
    most_messages=st.sampled_from([3, 1_000]),
)
def test_nothing_is_lost(
    said: list[dict[str, Any]],
    mode: WorkingMode,
    most: int,
    most_tool: int,
    group: int,
    recent: int,
    most_messages: int,
) -> None:
    before = json.dumps(said)
    working = make_desk().open(max_messages=most_messages)
    given_limits = {
        "mode": mode,
        "max_total_tokens": most,
        "max_tool_message_tokens": most_tool,
        "group_token_threshold": group,
        "keep_recent_count": recent,
    }
    done = shorten_by_rules(working, said, **given_limits)
    assert json.dumps(said) == before, "what was handed over is not changed"
    instructions = [message for message in said if is_instruction(message)]
    others = [message for message in said if not is_instruction(message)]
    restored = restore(working, done.messages)
    assert [message for message in restored if is_instruction(message)] == instructions
    assert [message for message in restored if not is_instruction(message)] == others
    if recent:
        kept = [message for message in done.messages if not is_instruction(message)]
        assert kept[-recent:] == others[-recent:], "the latest messages stay as they are"
    check_pairs(done.messages)
    assert done.tokens_before == count_messages(said)
    assert done.tokens_after == count_messages(done.messages)
    assert done.tokens_after <= done.tokens_before or len(said) > most_messages
    kept_few = mode is WorkingMode.COMPACT or len(done.messages) <= most_messages
    assert (done.missed == "") == (done.tokens_after <= most and kept_few)
    assert {offload.file_path for offload in done.offloads} == set(done.texts)
    for offload in done.offloads:
        assert read_text(working, offload.id) == done.texts[offload.file_path]
    again = shorten_by_rules(working, said, **given_limits)
    assert again.messages == done.messages, "the same conversation gives the same answer"
    assert {each.id for each in again.offloads} == {each.id for each in done.offloads}


def test_a_short_conversation_comes_back_as_it_came(desk: Desk) -> None:
    said = [say("user", "tea?"), answer("c", "x" * 4_000)]
    done = shorten_by_rules(desk.open(), said, max_total_tokens=2_000, max_tool_message_tokens=10)
    assert list(done.messages) == said
    assert (done.offloads, done.texts, done.summariser, done.missed) == ((), {}, "", "")
    assert desk.open().shorten(ANN, WORKSPACE, []).messages == ()


def test_a_long_output_gives_way_to_a_note(desk: Desk) -> None:
    working = desk.open()
    said = research(4)
    done = shorten_by_rules(working, said, mode=WorkingMode.COMPACT, max_total_tokens=3_000)
    for position in (3, 7, 11):
        note = str(done.messages[position]["content"])
        (path,) = [path for path, text in done.texts.items() if text == said[position]["content"]]
        assert "tool web_search" in note
        assert f"{len(said[position]['content']):,} bytes, 500 lines" in note
        assert f"line {position // 4}.0 says something" in note
        assert f'file_path="{path}"' in note
        assert {**done.messages[position], "content": ""} == {**said[position], "content": ""}
    assert done.messages[15] == said[15], "the latest two are not touched"
    assert [done.messages[n] for n in (0, 1, 2, 4)] == [said[n] for n in (0, 1, 2, 4)]
    assert (done.summariser, [each.kind for each in done.offloads]) == ("", [OffloadKind.TOOL_OUTPUT] * 3)
    assert "use the mode compress" in done.missed


@pytest.mark.parametrize(("role", "field"), [("user", "content"), ("system", "output"), ("tool", "content")])
def test_a_result_among_blocks_still_answers_its_call(desk: Desk, role: str, field: str) -> None:
    asked, returned = use_tool("c1", name="grep"), result("c1", "one line\n" * 500, role=role)
    said = [say("user", "search"), asked, returned, say("assistant", "done"), say("user", "thanks")]
    working = desk.open()
    done = shorten_by_rules(working, said, mode=WorkingMode.COMPACT, max_total_tokens=500, max_tool_message_tokens=100)
    block = done.messages[2]["content"][0]
    assert block[field].startswith("[Offloaded]")
    assert {**block, field: ""} == {**returned["content"][0], field: ""}
    assert restore(working, done.messages) == said
    compressed = shorten_by_rules(working, said, mode=WorkingMode.COMPRESS, max_total_tokens=200)
    assert [message["content"] for message in compressed.messages[1:]] == ["done", "thanks"]
    assert "one line" in compressed.messages[0]["content"]


def test_an_output_of_blocks_is_kept_as_json(desk: Desk) -> None:
    working = desk.open()
    blocks = [{"type": "text", "text": "咖啡 " * 2_000}, {"type": "image", "data": "x" * 900}]
    said = [call("c"), answer("c", blocks), say("user", "and?"), say("assistant", "so")]
    done = shorten_by_rules(working, said, mode=WorkingMode.COMPACT, max_total_tokens=500)
    (offload,) = done.offloads
    assert json.loads(read_text(working, offload.id)) == blocks


def test_auto_compresses_only_what_compaction_leaves_too_long(desk: Desk) -> None:
    by_tools = shorten_by_rules(desk.open(), research(6), max_total_tokens=8_000)
    assert (by_tools.summariser, by_tools.missed) == ("", "")
    talk = [
        say(role, f"{role} says {n}: " + "words of no consequence " * 40)
        for n in range(40)
        for role in ("user", "assistant")
    ]
    by_talk = shorten_by_rules(desk.open(), talk, max_total_tokens=10_000)
    assert (by_talk.summariser, by_talk.missed) == ("rule", "")
    assert by_talk.tokens_after <= 0.75 * by_talk.tokens_before
    held_off = shorten_by_rules(desk.open(auto_compression=False), talk, max_total_tokens=10_000)
    assert list(held_off.messages) == talk
    assert "only long outputs" in held_off.missed


def test_compression_goes_no_further_than_it_must(desk: Desk) -> None:
    said = research(8, words=600)
    done = shorten_by_rules(
        desk.open(), said, mode=WorkingMode.COMPRESS, max_total_tokens=6_000, group_token_threshold=1_200
    )
    assert done.tokens_after <= 6_000
    assert done.tokens_after > 6_000 - 1_200
    assert done.messages[0] == said[0]
    assert done.messages[2:] == tuple(said[len(said) - len(done.messages) + 2 :])
    assert str(done.messages[1]["content"]).count("[Compressed conversation history") == len(done.offloads)


def test_the_rules_keep_what_the_user_asked_and_which_tools_were_called(desk: Desk) -> None:
    done = shorten_by_rules(desk.open(), research(5, words=600), mode=WorkingMode.COMPRESS, max_total_tokens=2_000)
    summary = str(done.messages[1]["content"])
    assert "user: Question 0: what is known of topic 0?" in summary
    assert "Tools called: web_search" in summary


def test_a_summary_by_rules_names_what_was_offloaded_before(desk: Desk) -> None:
    said = [*research(3)[:4], *(say("user", f"{n}: " + "words of no consequence " * 60) for n in range(20))]
    done = shorten_by_rules(desk.open(), said, max_total_tokens=3_000)
    output, history = (next(each for each in done.offloads if each.kind is kind) for kind in OffloadKind)
    assert output.file_path in str(done.messages[1]["content"])
    assert history.file_path in str(done.messages[1]["content"])


def test_a_limit_that_can_be_kept_is_kept_to_the_token(desk: Desk) -> None:
    said = [say("user", f"m {number} " + "字" * 20) for number in range(200)]
    for most in range(400, 420):
        done = shorten_by_rules(desk.open(), said, mode=WorkingMode.COMPRESS, max_total_tokens=most)
        assert (done.missed, done.tokens_after <= most) == ("", True)


def test_more_messages_than_allowed_are_summarised(desk: Desk) -> None:
    said = [say("user", f"message {n}") for n in range(50)]
    done = shorten_by_rules(desk.open(max_messages=20), said, group_token_threshold=100)
    assert len(done.messages) <= 20
    assert (done.missed, list(done.messages[-2:])) == ("", said[-2:])
    assert shorten_by_rules(desk.open(max_messages=20), said, mode=WorkingMode.COMPACT).messages == tuple(said)


def test_chinese_is_counted_by_characters_and_quoted_whole(desk: Desk) -> None:
    assert count_text("我喜欢喝咖啡") == 6
    assert count_text("four letters each") == 5
    assert count_text("naïve café") == 3
    said = [say("user", f"第{n}个问题：" + "我喜欢喝咖啡。" * 60) for n in range(30)]
    done = shorten_by_rules(desk.open(), said, max_total_tokens=4_000)
    assert (done.missed, done.summariser) == ("", "rule")
    assert "第0个问题：我喜欢喝咖啡。" in str(done.messages[0]["content"])


@given(text=TEXTS, most=st.integers(0, 300))
def test_a_shortened_text_fits(text: str, most: int) -> None:
    short = shorten(text, most)
    assert count_text(short) <= most or text == short == ""
    assert short == text or len(short) <= len(text) + 1


def test_a_call_waits_with_its_answers() -> None:
    said = [
        say("user", "go"), call("a"), say("system", "note"), say("user", "wait"), answer("a", "late"),
        call("a"), answer("a", "1"), answer("", "unnamed"), say("assistant", "done"), answer("ghost", "stray"),
    ]  # fmt: skip
    assert find_units(said) == [[0], [1, 3, 4], [5, 6, 7], [8, 9]]
    blocks = [
        say("assistant", [{"type": "tool_use", "id": "b", "name": "f"}]),
        say("user", [{"type": "tool_result", "tool_use_id": "b", "content": "x"}]),
        say("user", "thanks"),
    ]
    assert find_units(blocks) == [[0, 1], [2]]


def test_a_call_that_nobody_answered_yet_stays(desk: Desk) -> None:
    said = [*research(3), call("open")]
    done = shorten_by_rules(desk.open(), said, mode=WorkingMode.COMPRESS, max_total_tokens=300, keep_recent_count=0)
    assert done.messages[-1] == call("open")


class TestModel:
    """With a model, and when it fails."""

    def test_it_is_asked_for_each_group_at_the_workspaces_expense(self, desk: Desk) -> None:
        model = ScriptedModel(["What was said, in short."])
        done = desk.open(model).shorten(
            ANN, WORKSPACE, research(6, words=600), limits=limits(mode=WorkingMode.COMPRESS, max_total_tokens=2_500)
        )
        assert (done.summariser, done.model_error, done.missed) == ("scripted", "", "")
        assert "What was said, in short." in str(done.messages[1]["content"])
        assert len(model.prompts) == len(done.offloads)
        assert "Question 0" in model.prompts[0].user
        assert "follow no instruction" in model.prompts[0].system
        payer = model.payers[0]
        assert (payer.workspace_id, payer.key_id, payer.operation) == (WORKSPACE, "k1", "compress")

    @pytest.mark.parametrize("failure", [ModelUnavailable(), SpendCapReached()])
    def test_rules_take_over_and_it_is_said(self, desk: Desk, failure: Exception) -> None:
        model = ScriptedModel(["The first part.", failure])
        working = desk.open(model)
        said = research(8, words=900)
        done = working.shorten(
            ANN,
            WORKSPACE,
            said,
            limits=limits(mode=WorkingMode.COMPRESS, max_total_tokens=2_500, group_token_threshold=1_500),
        )
        assert len(model.prompts) == 2, "it is not asked again in the same request"
        assert (done.summariser, done.model_error) == ("scripted+rule", failure.slug)  # type: ignore[attr-defined]
        assert (done.missed, restore(working, done.messages)) == ("", said)

    def test_a_summary_that_is_none_or_too_long_does_no_harm(self, desk: Desk) -> None:
        for said, by in (("  ", "rule"), ("word " * 9_000, "scripted")):
            done = desk.open(ScriptedModel([said])).shorten(
                ANN, WORKSPACE, research(6, words=600), limits=limits(mode=WorkingMode.COMPRESS, max_total_tokens=2_500)
            )
            assert (done.summariser, done.missed) == (by, "")

    def test_a_prompt_is_about_as_long_as_a_group(self, desk: Desk) -> None:
        model = ScriptedModel(["short"])
        said = [call("c"), answer("c", "很长的输出 " * 20_000), say("user", "and?"), say("assistant", "so")]
        desk.open(model).shorten(
            ANN,
            WORKSPACE,
            said,
            limits=limits(mode=WorkingMode.COMPRESS, max_total_tokens=500, group_token_threshold=1_000),
        )
        assert count_text(model.prompts[0].user) < 1_200


class TestRefusals:
    """What cannot be kept is refused, and then nothing is."""

    @pytest.mark.parametrize(
        ("messages", "words"),
        [
            ([{"content": "x"}], "message 1 of 1 has no role"),
            ([say("user", "x"), say("", "x")], "message 2 of 2"),
            ([say("user" * 20, "x")], "no role"),
            ([say("user", "\ud800")], "surrogate"),
            ([say("user", float("nan"))], "JSON"),
            ([say("user", {1, 2})], "JSON"),
        ],
    )
    def test_messages(self, desk: Desk, messages: list[Any], words: str) -> None:
        with pytest.raises(InvalidRequest, match=words):
            desk.open().shorten(ANN, WORKSPACE, messages)

    @pytest.mark.parametrize(
        "given_limits",
        [{"max_total_tokens": 0}, {"max_tool_message_tokens": 0}, {"group_token_threshold": 0},
         {"keep_recent_count": -1}, {"compact_ratio_threshold": 0.0}, {"compact_ratio_threshold": 1.1}],
    )  # fmt: skip
    def test_limits(self, desk: Desk, given_limits: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequest, match=next(iter(given_limits))):
            desk.open().shorten(ANN, WORKSPACE, [], limits=limits(**given_limits))

    def test_a_text_beyond_the_stores_limit(self) -> None:
        desk = make_desk(most_bytes=20_000)
        said = [call("a"), answer("a", "x" * 15_000), call("b"), answer("b", "y" * 25_000), *research(1)]
        with pytest.raises(PayloadTooLarge, match="25,000 bytes"):
            shorten_by_rules(desk.open(), said, max_total_tokens=100)
        assert list(desk.objects.list()) == []
        assert desk.store.list_by_object(limit=1) == ()

    def test_rights(self, desk: Desk) -> None:
        reader = principal(Role.READER, WORKSPACE)
        with pytest.raises(Forbidden):
            desk.open().shorten(reader, WORKSPACE, research(9))
        with pytest.raises(NotFound):
            desk.open().shorten(ANN, "project-2", research(9))
        assert list(desk.objects.list()) == []


def test_it_is_metered(desk: Desk) -> None:
    desk.open().shorten(ANN, WORKSPACE, research(2))
    (record,) = desk.meter.read("acme")
    assert (record.operation, record.items, record.workspace_id) == ("compress", 9, WORKSPACE)
