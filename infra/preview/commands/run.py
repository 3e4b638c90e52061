"""``reme-preview run``: what a change does to every stack of a project."""

import sys
from pathlib import Path

import click

from infra.preview.commands.output import deliver, guardrails_option, output_options
from infra.preview.commands.terms import read_terms, terms_options
from infra.preview.preview import Request, preview_change, preview_live
from infra.preview.runs import LIMIT_S
from sizing.messages import Language


@click.command()
@click.option("--base", default="origin/main", show_default=True, metavar="REF", help="What it is compared with.")
@click.option("--head", default="", metavar="REF", help="The change.  [default: the working tree]")
@click.option("--live", is_flag=True, help="Preview on the live state, with credentials; the base is what is deployed.")
@click.option("--stack", "stacks", multiple=True, metavar="NAME", help="A stack; again for more.  [default: all]")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    help="Folder of Pulumi.yaml.  [default: the working directory]",
)
@click.option(
    "--placeholder",
    "placeholders",
    multiple=True,
    metavar="KEY",
    help="A key of the configuration, such as shop:api-key, that no file has: it gets a placeholder.",
)
@click.option(
    "--carry", "carried", multiple=True, metavar="PATH", help="A path that git does not keep and the program needs."
)
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="Stacks at a time.  [default: one a core]")
@click.option("--timeout", "limit_s", type=click.FloatRange(min=1), default=LIMIT_S, show_default=True, help="Seconds.")
@terms_options
@guardrails_option
@output_options
def run(
    base: str,
    head: str,
    *,
    live: bool,
    stacks: tuple[str, ...],
    project: Path,
    placeholders: tuple[str, ...],
    carried: tuple[str, ...],
    jobs: int,
    limit_s: float,
    usage_file: Path | None,
    policies: bool,
    waivers_file: Path | None,
    guardrails_file: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
    html_file: Path | None,
    summary: bool,
    language: Language,
) -> int:
    """Preview a change of every stack: resources, monthly cost, policies.

    \b
      reme-preview run --base origin/main
      reme-preview run --base v1.2.0 --head feature --stack aws-prod --html preview.html
      reme-preview run --live --json preview.json

    It needs the engine `pulumi`, and without --live neither an account nor a network. Exit codes: 0 fine, 1 a stack
    could not be previewed, 2 bad input, 3 a finding that blocks.
    """
    if live and (head or placeholders or carried):
        raise click.UsageError("--live previews the working tree as it is: leave --head, --placeholder and --carry out")
    request = Request(
        project=project,
        base=base,
        head=head,
        stacks=stacks,
        placeholders=placeholders,
        carried=carried,
        guardrails=guardrails_file,
        jobs=jobs,
        limit_s=limit_s,
        terms=read_terms(usage_file, waivers_file, policies=policies),
    )
    result = (preview_live if live else preview_change)(request, _say)
    return deliver(
        result,
        json_file=json_file,
        markdown_file=markdown_file,
        html_file=html_file,
        summary=summary,
        language=language,
    )


def _say(stack: str, action: str) -> None:
    print(f"reme-preview: {stack}: {action}", file=sys.stderr, flush=True)  # noqa: T201 - several threads say something
