"""``reme-preview post``: a result as the one comment of a pull request or merge request."""

import os
from pathlib import Path

import click

from infra.preview.commands.output import exit_code, guardrails_option, language_option
from infra.preview.guardrails import find_guardrails, judge
from infra.preview.posting import (
    Forge,
    GitHub,
    GitLab,
    find_pull_request,
    open_github,
    open_gitlab,
    post_comment,
)
from infra.preview.rendering.markdown import to_comment
from infra.preview.result import read_result
from sizing.messages import Language

GITHUB_AUTHOR = "github-actions[bot]"
"""The account that a workflow's own token writes as."""


@click.command()
@click.argument("result_file", metavar="RESULT", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--github", metavar="OWNER/NAME", help="Post to this repository on GitHub.")
@click.option("--gitlab", metavar="PATH", help="Post to this project on GitLab.")
@click.option("--number", type=click.IntRange(min=1), help="Number of the pull request or merge request.")
@click.option("--branch", metavar="OWNER:BRANCH", help="GitHub: the pull request from this branch …")
@click.option("--sha", help="… whose head is still this commit; where there is none, nothing is posted.")
@click.option("--author", help=f"Whose comment is written over.  [GitHub's default: {GITHUB_AUTHOR}]")
@click.option("--tag", default="", help="Tell several comments of one request apart.")
@click.option("--link", default="", help="Address of the run, for the reader.")
@click.option("--only-changes", is_flag=True, help="Begin no comment where nothing changes.")
@click.option("--api", help="Address of the forge's API, of a server of your own.")
@click.option(
    "--token-from", metavar="NAME", default="GITHUB_TOKEN", show_default=True, help="Variable that holds the token."
)
@click.option("--dry-run", is_flag=True, help="Print the comment, and post nothing.")
@guardrails_option
@language_option
def post(
    result_file: Path,
    github: str | None,
    gitlab: str | None,
    number: int | None,
    branch: str | None,
    sha: str | None,
    author: str | None,
    tag: str,
    link: str,
    *,
    only_changes: bool,
    api: str | None,
    token_from: str,
    dry_run: bool,
    guardrails_file: Path | None,
    language: Language,
) -> int:
    """Write RESULT as a comment, over the one that stands there from before.

    \b
      reme-preview post preview.json --github OWNER/NAME --number 7
      reme-preview post preview.json --github OWNER/NAME --branch FORK:feature --sha 8c1f0aa…
      reme-preview post preview.json --gitlab group/name --number 7 --author bot --token-from PREVIEW_TOKEN

    The guardrails are judged again with the file of the working directory, so that a job that runs a stranger's code
    cannot lift them. What the result tells of the resources is that job's word.
    """
    result = read_result(result_file)
    result = result.model_copy(update={"findings": judge(result, find_guardrails(guardrails_file, Path()))})
    body = to_comment(result, language, tag=tag, link=link)
    if dry_run:
        click.echo(body, nl=False)
        return exit_code(result)
    if bool(github) == bool(gitlab):
        raise click.UsageError("name the place with either --github or --gitlab")
    token = os.environ.get(token_from)
    if not token:
        raise click.UsageError(f"the variable {token_from} is empty: put the token into it, or name another one")
    if gitlab:
        if number is None or author is None:
            raise click.UsageError("GitLab needs --number and --author")
        with open_gitlab(token, *([api] if api else [])) as client:
            _write(GitLab(client, gitlab, number), body, author, changed=result.changed, only_changes=only_changes)
        return 0
    with open_github(token, *([api] if api else [])) as client:
        assert github is not None  # noqa: S101
        if number is None:
            if not (branch and sha):
                raise click.UsageError("name the pull request with --number, or with --branch and --sha")
            number = find_pull_request(client, github, branch, sha)
            if number is None:
                click.echo(f"reme-preview: no open pull request from {branch} has the head {sha}: nothing to post to")
                return 0
        forge = GitHub(client, github, number)
        _write(forge, body, author or GITHUB_AUTHOR, changed=result.changed, only_changes=only_changes)
    return 0


def _write(forge: Forge, body: str, author: str, *, changed: bool, only_changes: bool) -> None:
    done = post_comment(forge, body, author=author, only_changes=only_changes and not changed)
    click.echo(f"reme-preview: comment {done}")
