"""``reme completion``: the completion script of a shell."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
      reme completion bash > ~/.local/share/bash-completion/completions/reme
      reme completion zsh  > "${fpath[1]}/_reme"
      reme completion fish > ~/.config/fish/completions/reme.fish
    """
    from app.commands.main import cli

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101
    click.echo(found(cli, {}, "reme", "_REME_COMPLETE").source())
