"""``reme-preview compare``: files of previews and states that were made elsewhere."""

from pathlib import Path

import click

from infra.preview.assembly import assemble
from infra.preview.commands.output import deliver, guardrails_option, output_options
from infra.preview.commands.terms import read_terms, terms_options
from infra.preview.comparison import compare_files
from infra.preview.guardrails import find_guardrails
from infra.preview.preview import put_together
from sizing.messages import Language


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="The stack's name, where the files do not tell.")
@click.option(
    "--region", "regions", multiple=True, metavar="PROVIDER=REGION", help="Region of a provider that names none."
)
@terms_options
@guardrails_option
@output_options
def compare(
    files: tuple[Path, ...],
    name: str,
    regions: tuple[str, ...],
    *,
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
    """Compare FILES: one preview, or a base and a head that are previews or exported states.

    \b
      reme-preview compare preview.json
      reme-preview compare state.json preview.json
      reme-preview compare before.json after.json --region aws=eu-west-1

    A preview is written by `pulumi preview --json --show-sames`, a state by `pulumi stack export`. What forces a
    replacement is told by previews alone.
    """
    if len(files) > 2:
        raise click.UsageError(f"{len(files)} files are given: one preview, or a base and a head")
    places = dict(_split(each) for each in regions)
    base, head = (None, files[0]) if len(files) == 1 else files
    sides = compare_files(base, head, name, places)
    found = assemble(sides, read_terms(usage_file, waivers_file, policies=policies))
    result = put_together(base.name if base else "before", head.name, [found], find_guardrails(guardrails_file, Path()))
    return deliver(
        result,
        json_file=json_file,
        markdown_file=markdown_file,
        html_file=html_file,
        summary=summary,
        language=language,
    )


def _split(text: str) -> tuple[str, str]:
    provider, sign, region = text.partition("=")
    if not (provider and sign and region):
        raise click.UsageError(f"--region {text!r} is not usable: write it as aws=eu-west-1")
    return provider, region
