"""Answers of language models are judged before anything is made of them."""

import pytest

from app.domain.conversation import UNAVAILABLE, WITHHELD, why_skipped
from app.domain.language import ModelTask, Prompt
from app.errors import AnswerWithheld, ModelTimeout, ModelUnavailable
from app.service.moderated_model import ModeratedModel
from tests.app.moderation.conftest import NotingModerator, make_moderation
from tests.app.scripted_model import ScriptedModel

FACT = {"memories": [{"content": "我喜欢喝茶", "lines": [1]}]}


def prompt(task: ModelTask = ModelTask.PERSONAL) -> Prompt:
    return Prompt(task=task, system="Find memories.", user="I like tea")


def test_an_answer_is_judged_by_its_texts_as_they_are_read() -> None:
    moderator = NotingModerator()
    model = ModeratedModel(ScriptedModel(lambda _: FACT), make_moderation(moderator))
    assert model.complete(prompt()).value == FACT
    # Not by its JSON, in which characters may be escaped.
    assert moderator.asked == ["memories\ncontent\n我喜欢喝茶\nlines"]
    assert model.model_of(ModelTask.PERSONAL) == "small"


def test_what_is_refused_is_withheld_and_not_tried_later() -> None:
    model = ModeratedModel(ScriptedModel(lambda _: {"text": "a bomb"}), make_moderation(NotingModerator()))
    with pytest.raises(AnswerWithheld, match="violent_weapons") as withheld:
        model.complete(prompt())
    assert "bomb" not in withheld.value.message
    assert why_skipped(withheld.value) == WITHHELD


def test_what_nobody_can_judge_waits_for_another_day() -> None:
    moderator = NotingModerator(failure=ModelTimeout())
    model = ModeratedModel(ScriptedModel(lambda _: FACT), make_moderation(moderator))
    with pytest.raises(ModelUnavailable) as away:
        model.complete(prompt())
    assert why_skipped(away.value) == UNAVAILABLE
    open_model = ModeratedModel(ScriptedModel(lambda _: FACT), make_moderation(moderator, allow_unjudged=True))
    assert open_model.complete(prompt()).value == FACT


def test_the_order_of_results_is_not_judged() -> None:
    moderator = NotingModerator()
    model = ModeratedModel(ScriptedModel(lambda _: {"order": [2, 1]}), make_moderation(moderator))
    model.complete(prompt(ModelTask.RERANK))
    assert moderator.asked == []
