"""Verdicts are remembered, but not for ever and not without a bound."""

from app.domain.moderation import TextSource
from app.service.moderation import REMEMBERED_S, Moderation, Passage
from tests.app.moderation.conftest import SCOPE, NotingModerator, make_moderation


def check(moderation: Moderation, *texts: str, source: TextSource = TextSource.INPUT) -> None:
    moderation.check(SCOPE, [Passage(place="a text", text=text) for text in texts], source=source)


def test_a_text_is_asked_about_once_in_a_batch_and_after_it() -> None:
    judge = NotingModerator()
    moderation = make_moderation(judge)
    check(moderation, "tea", "milk", "tea", "", "  ")
    check(moderation, "milk")
    assert judge.asked == ["tea", "milk"]
    check(moderation, "milk", source=TextSource.OUTPUT)
    assert judge.asked == ["tea", "milk", "milk"]
    assert moderation.counts == {"allowed": 5, "refused": 0, "unjudged": 0, "known": 1}


def test_an_old_verdict_is_asked_for_again() -> None:
    judge, moment = NotingModerator(), [0.0]
    moderation = make_moderation(judge, moment=moment)
    check(moderation, "tea")
    moment[0] = REMEMBERED_S
    check(moderation, "tea")
    moment[0] = REMEMBERED_S + 1.0
    check(moderation, "tea")
    assert judge.asked == ["tea", "tea"]


def test_the_verdict_that_was_unused_longest_is_forgotten() -> None:
    judge = NotingModerator()
    moderation = make_moderation(judge, entries=2)
    for text in ("tea", "milk", "tea", "water", "tea", "milk"):
        check(moderation, text)
    assert judge.asked == ["tea", "milk", "water", "milk"]


def test_nothing_is_remembered_where_nothing_may_be() -> None:
    judge = NotingModerator()
    moderation = make_moderation(judge, entries=0)
    check(moderation, "tea")
    check(moderation, "tea")
    assert judge.asked == ["tea", "tea"]
