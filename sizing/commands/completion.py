"""``reme-size completion``: the completion script of a shell."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
      reme-size completion bash > ~/.local/share/bash-completion/completions/reme-size
      reme-size completion zsh  > "${fpath[1]}/_reme-size"
      reme-size completion fish > ~/.config/fish/completions/reme-size.fish
    """
    from sizing.commands.main import cli

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101
    click.echo(found(cli, {}, "reme-size", "_REME_SIZE_COMPLETE").source())
