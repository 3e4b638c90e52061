"""``reme add``: remember a text."""

from pathlib import Path

import click

from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import json_option, kind_option, place_options, workspace_option
from app.commands.printing import print_json
from app.commands.reading import read_pairs, read_text
from app.domain.memory import MemoryDraft, MemoryKind


@click.command()
@click.argument("text", required=False)
@click.option("--file", "-f", type=click.Path(path_type=Path), help="Take the text from a file; - is standard input.")
@kind_option(multiple=False)
@click.option("--user", default="", help="Person whom the memory is about.")
@click.option("--tag", "tags", multiple=True, help="Tag to find it by. Repeatable.")
@click.option("--metadata", "pairs", multiple=True, metavar="NAME=VALUE", help="Metadata to filter by. Repeatable.")
@click.option("--when-to-use", default="", help="When the memory helps; searches then compare this, not the text.")
@click.option("--author", default="", help="Who says so.")
@workspace_option
@json_option
@place_options
def add(
    text: str | None,
    file: Path | None,
    kind: str,
    user: str,
    tags: tuple[str, ...],
    pairs: tuple[str, ...],
    when_to_use: str,
    author: str,
    workspace: str,
    tenant: str,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Remember TEXT, the text of a file, or standard input.

    \b
      reme add "Ada prefers coffee without sugar" --user ada --tag drinks
      reme add --kind task --when-to-use "a build runs out of memory" "Lower the number of workers first"
      echo "The office closes at six" | reme add --metadata priority=2

    A text that is there already, word for word, is not stored twice.
    """
    draft = MemoryDraft(
        kind=MemoryKind(kind),
        content=read_text(text, file),
        when_to_use=when_to_use,
        user_id=user,
        author=author,
        tags=tags,
        metadata=read_pairs(pairs),
    )
    with open_services(read_settings(working_dir, config_file), make=True) as services:
        committed = services.memories.add(local_admin(tenant), workspace, [draft])
    if as_json:
        from app.api.v1.answers import write_batch

        print_json(write_batch(committed))
        return
    for outcome in committed.outcomes:
        click.echo(f"{outcome.state.value} {outcome.memory_id}")
        for superseded in outcome.superseded_ids:
            click.echo(f"superseded {superseded}")
