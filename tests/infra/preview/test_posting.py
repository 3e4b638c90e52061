"""One comment that stays one, over HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from infra.preview.errors import PostingFailed
from infra.preview.posting import Forge, GitHub, GitLab, find_pull_request, open_github, open_gitlab, post_comment
from infra.preview.rendering.markdown import mark, to_comment
from tests.infra.preview.forges import ME, TOKEN, Discussion, serve_discussion
from tests.infra.preview.results import calm, whole

pytestmark = pytest.mark.slow


@pytest.fixture
def discussion() -> Iterator[Discussion]:
    with serve_discussion() as found:
        yield found


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, discussion: Discussion) -> Iterator[Forge]:
    if request.param == "github":
        with open_github(TOKEN, discussion.url) as client:
            yield GitHub(client, "o/r", 7)
    else:
        with open_gitlab(TOKEN, discussion.url) as client:
            yield GitLab(client, "group/project", 7)


@pytest.fixture
def client(discussion: Discussion) -> Iterator[httpx.Client]:
    with open_github(TOKEN, discussion.url) as opened:
        yield opened


def test_the_first_is_written_and_the_next_goes_over_it(forge: Forge, discussion: Discussion) -> None:
    assert post_comment(forge, to_comment(whole()), author=ME) == "created"
    assert post_comment(forge, to_comment(whole(calm())), author=ME) == "updated"
    (comment,) = discussion.comments
    assert "Nothing changes." in comment["body"]


def test_the_same_is_not_written_twice(forge: Forge, discussion: Discussion) -> None:
    body = to_comment(whole())
    discussion.add(body.replace("\n", "\r\n").rstrip())
    assert post_comment(forge, body, author=ME) == "unchanged"
    assert all(asked.startswith("GET") for asked in discussion.asked)


def test_it_is_found_behind_many_others(forge: Forge, discussion: Discussion) -> None:
    for number in range(205):
        discussion.add(f"remark {number}", "someone")
    discussion.add(f"{mark()}\nold")
    assert post_comment(forge, to_comment(whole()), author=ME) == "updated"
    assert len(discussion.comments) == 206


def test_a_comment_of_a_stranger_with_the_mark_is_left_alone(forge: Forge, discussion: Discussion) -> None:
    discussion.add(f"{mark()}\nlooks like ours", "stranger")
    assert post_comment(forge, to_comment(whole()), author=ME) == "created"
    assert discussion.comments[0]["body"].endswith("looks like ours")


def test_tags_have_comments_of_their_own(forge: Forge, discussion: Discussion) -> None:
    post_comment(forge, to_comment(whole(), tag="a"), author=ME)
    post_comment(forge, to_comment(whole(), tag="b"), author=ME)
    assert len(discussion.comments) == 2


def test_without_changes_none_is_begun_but_one_that_stands_is_kept_up_to_date(
    forge: Forge, discussion: Discussion
) -> None:
    assert post_comment(forge, to_comment(whole(calm())), author=ME, only_changes=True) == "left out"
    discussion.add(f"{mark()}\nold")
    assert post_comment(forge, to_comment(whole(calm())), author=ME, only_changes=True) == "updated"


@pytest.mark.parametrize(
    ("status", "said"), [(401, "token is wrong"), (403, "may not write"), (404, "no such request"), (500, "with 500")]
)
def test_a_refusal_is_told_without_the_token(forge: Forge, discussion: Discussion, status: int, said: str) -> None:
    discussion.refuse = status
    with pytest.raises(PostingFailed, match=said) as error:
        post_comment(forge, "body", author=ME)
    assert TOKEN not in str(error.value)


def test_a_forge_that_is_away_is_told() -> None:
    with open_github(TOKEN, "http://127.0.0.1:9") as client, pytest.raises(PostingFailed, match="ConnectError"):
        post_comment(GitHub(client, "o/r", 7), "body", author=ME)


def test_a_pull_request_is_found_by_branch_and_commit(client: httpx.Client, discussion: Discussion) -> None:
    discussion.pulls = [
        {"number": 5, "head": {"label": "fork:feature", "sha": "aaa"}},
        {"number": 7, "head": {"label": "fork:feature", "sha": "bbb"}},
    ]
    assert find_pull_request(client, "o/r", "fork:feature", "bbb") == 7
    assert find_pull_request(client, "o/r", "fork:feature", "ccc") is None
    assert find_pull_request(client, "o/r", "other:feature", "bbb") is None
