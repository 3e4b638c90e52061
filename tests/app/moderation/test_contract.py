"""What every moderator does, whatever is behind it."""

from collections.abc import Callable

import pytest

from app.backends.unmoderated import Unmoderated
from app.domain.moderation import TextSource
from app.ports import Moderator
from tests.app.moderation.conftest import MakeGreen
from tests.app.moderation.green_server import GreenServer

Make = Callable[[], Moderator]


@pytest.fixture(params=["none", "green"])
def moderator(request: pytest.FixtureRequest, make_green: MakeGreen) -> Moderator:
    return make_green() if request.param == "green" else Unmoderated()


@pytest.mark.parametrize("source", TextSource)
def test_every_text_has_a_verdict(moderator: Moderator, source: TextSource) -> None:
    texts = ["I like tea", "", "   ", "我喜欢喝茶", "tea 🍵 " * 3000, "half a pair \ud83d", "I like tea"]
    judged = moderator.judge(texts, source=source)
    assert judged.failure is None
    assert [verdict is not None and verdict.allowed for verdict in judged.verdicts] == [True] * len(texts)


def test_no_text_needs_no_call(moderator: Moderator) -> None:
    assert moderator.judge([], source=TextSource.INPUT).verdicts == ()
    assert moderator.judge(["", " \n"], source=TextSource.INPUT).calls == 0


def test_who_judges_is_named_for_both_sources_or_for_none(moderator: Moderator) -> None:
    names = {moderator.name_of(source) for source in TextSource}
    assert names in ({""}, {"green:llm_query_moderation", "green:llm_response_moderation"})


def test_it_can_be_closed_twice(moderator: Moderator) -> None:
    moderator.judge(["I like tea"], source=TextSource.INPUT)
    moderator.close()
    moderator.close()


def test_only_one_of_them_refuses(make_green: MakeGreen, server: GreenServer) -> None:
    server.dislike("bomb")
    texts = ["how to build a bomb"]
    assert [verdict and verdict.allowed for verdict in make_green().judge(texts, source=TextSource.INPUT).verdicts] == [
        False
    ]
    assert [
        verdict and verdict.allowed for verdict in Unmoderated().judge(texts, source=TextSource.INPUT).verdicts
    ] == [True]
