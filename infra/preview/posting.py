"""One comment per pull request or merge request, written again when the change is pushed again.

The comment is found by its hidden mark, among those that the given account wrote: anybody may write the mark, and a
stranger's comment must not be taken for ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote

import httpx

from infra.preview.errors import PostingFailed

Done = Literal["created", "updated", "unchanged", "left out"]
TIMEOUT_S = 30.0
PER_PAGE = 100
MAX_PAGES = 30
"""3,000 comments; a pull request with more gets a new comment."""


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A comment that stands there."""

    id: int
    author: str
    body: str


class Forge(Protocol):
    """Where changes are discussed. Each method raises PostingFailed."""

    def list_comments(self) -> Iterator[Comment]:
        """The comments of the request, in any order."""

    def create(self, body: str) -> None:
        """Write a new comment."""

    def update(self, comment: Comment, body: str) -> None:
        """Write a comment anew."""


def post_comment(forge: Forge, body: str, *, author: str, only_changes: bool = False) -> Done:
    """Write the comment, over the one that `author` wrote with the same mark.

    With `only_changes` none is begun; one that stands is still kept up to date.
    """
    mark = body.partition("\n")[0]
    mine = [
        comment
        for comment in forge.list_comments()
        if comment.author == author and comment.body.partition("\n")[0].rstrip("\r") == mark
    ]
    if not mine:
        if only_changes:
            return "left out"
        forge.create(body)
        return "created"
    first = min(mine, key=lambda comment: comment.id)
    if first.body.replace("\r\n", "\n").rstrip() == body.rstrip():
        return "unchanged"
    forge.update(first, body)
    return "updated"


class GitHub:
    """A pull request on GitHub; the token needs `pull-requests: write`."""

    def __init__(self, client: httpx.Client, repository: str, number: int) -> None:
        self._client, self._repository, self._number = client, repository, number

    def list_comments(self) -> Iterator[Comment]:
        """The comments of the pull request."""
        for row in _pages(self._client, f"/repos/{self._repository}/issues/{self._number}/comments"):
            user = row.get("user") or {}
            yield Comment(id=int(row["id"]), author=str(user.get("login", "")), body=str(row.get("body") or ""))

    def create(self, body: str) -> None:
        """Write a new comment."""
        path = f"/repos/{self._repository}/issues/{self._number}/comments"
        _send(self._client, "POST", path, {"body": body})

    def update(self, comment: Comment, body: str) -> None:
        """Write a comment anew."""
        _send(self._client, "PATCH", f"/repos/{self._repository}/issues/comments/{comment.id}", {"body": body})


class GitLab:
    """A merge request on GitLab; the token needs the scope `api`."""

    def __init__(self, client: httpx.Client, project: str, number: int) -> None:
        self._client = client
        self._notes = f"/api/v4/projects/{quote(project, safe='')}/merge_requests/{number}/notes"

    def list_comments(self) -> Iterator[Comment]:
        """The notes of the merge request."""
        for row in _pages(self._client, self._notes):
            author = row.get("author") or {}
            yield Comment(id=int(row["id"]), author=str(author.get("username", "")), body=str(row.get("body") or ""))

    def create(self, body: str) -> None:
        """Write a new note."""
        _send(self._client, "POST", self._notes, {"body": body})

    def update(self, comment: Comment, body: str) -> None:
        """Write a note anew."""
        _send(self._client, "PUT", f"{self._notes}/{comment.id}", {"body": body})


def open_github(token: str, api: str = "https://api.github.com") -> httpx.Client:
    """A client of GitHub's API; the token is in no error and no log."""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    return httpx.Client(
        base_url=api, headers={**headers, "Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, follow_redirects=False
    )


def open_gitlab(token: str, api: str = "https://gitlab.com") -> httpx.Client:
    """A client of GitLab's API."""
    return httpx.Client(base_url=api, headers={"PRIVATE-TOKEN": token}, timeout=TIMEOUT_S, follow_redirects=False)


def find_pull_request(client: httpx.Client, repository: str, branch: str, sha: str) -> int | None:
    """The number of the open pull request from `OWNER:BRANCH` whose head is still this commit, or None.

    The number is asked from GitHub, since one that a stranger's job wrote down could name any pull request.
    """
    path = f"/repos/{repository}/pulls"
    for row in _pages(client, path, {"state": "open", "head": branch}):
        if str((row.get("head") or {}).get("sha", "")) == sha:
            return int(row["number"])
    return None


def _pages(client: httpx.Client, path: str, query: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
    for page in range(1, MAX_PAGES + 1):
        rows = _send(client, "GET", path, query={**(query or {}), "per_page": str(PER_PAGE), "page": str(page)})
        if not isinstance(rows, Sequence):
            raise PostingFailed(str(client.base_url), f"it answered {path} with no list")
        yield from rows
        if len(rows) < PER_PAGE:
            return


def _send(
    client: httpx.Client,
    method: str,
    path: str,
    content: Mapping[str, str] | None = None,
    *,
    query: Mapping[str, str] | None = None,
) -> Any:
    where = str(client.base_url)
    try:
        answer = client.request(method, path, json=content, params=query)
    except httpx.HTTPError as error:
        raise PostingFailed(where, f"{type(error).__name__}: {error}") from None
    if answer.is_success:
        try:
            return answer.json()
        except ValueError:
            raise PostingFailed(where, f"{method} {path} was answered with no JSON") from None
    remedy = {
        401: "; the token is wrong or has expired",
        403: "; the token may not write comments (GitHub: `pull-requests: write`), or there were too many requests",
        404: "; there is no such request, or the token may not see it",
    }.get(answer.status_code, "")
    raise PostingFailed(where, f"{method} {path} was answered with {answer.status_code}{remedy}")
