"""``reme reembed``: move the store to another embedding."""

from pathlib import Path

import click

from app.commands.opening import open_services, read_settings
from app.commands.options import place_options
from app.commands.progress import track

BACKENDS = ("local", "hashing", "openai_compatible", "sentence_transformers")


@click.command()
@click.option("--to", "backend", type=click.Choice(BACKENDS), help="Embedding to move to.  [default: the configured]")
@click.option("--batch", type=click.IntRange(1, 10_000), default=256, show_default=True, help="Memories at a time.")
@click.option("--abandon", is_flag=True, help="Give up a move that was begun; the store stays as it is.")
@place_options
def reembed(backend: str | None, batch: int, abandon: bool, working_dir: Path | None, config_file: Path | None) -> None:
    """Make the vectors of every memory anew, with the configured embedding or with --to.

    \b
      reme reembed --to local
      reme reembed --abandon

    Searches are answered with the old vectors until all new ones are there; then the store switches in one step.
    A move that was interrupted goes on where it stopped when the command is given again.
    """
    arguments = [] if backend is None else [f"embedding.backend={backend}"]
    settings = read_settings(working_dir, config_file, arguments=arguments)
    with open_services(settings, make=False) as services:
        if abandon:
            services.store.spaces.abandon()
            click.echo(f"the store stays with {services.store.spaces.identity() or 'no embedding: it has no vectors'}")
            return
        with track("embedding", "memories") as show:
            moved = services.reembedding.run(batch=batch, progress=show)
        identity = services.store.spaces.identity()
    click.echo(f"{moved:,} memories embedded; the store now has {identity or 'no vectors'}")
    configured = read_settings(working_dir, config_file).embedding.backend
    if configured != settings.embedding.backend:
        click.echo(
            f"reme: embedding.backend is still {configured}: "
            f"set it to {settings.embedding.backend} before the service starts again",
            err=True,
        )
