"""``reme-preview show``: a saved result, in another form or language."""

from pathlib import Path

import click

from infra.preview.commands.output import exit_code, language_option, print_to_terminal
from infra.preview.rendering.markdown import to_comment
from infra.preview.rendering.page import to_html
from infra.preview.result import read_result, write_result
from sizing.messages import Language

FORMS = ("terminal", "markdown", "html", "json")


@click.command()
@click.argument("result_file", metavar="RESULT", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--format", "form", type=click.Choice(FORMS), default="terminal", show_default=True)
@language_option
def show(result_file: Path, form: str, language: Language) -> int:
    """Show a result that `run` or `compare` wrote with --json.

    \b
      reme-preview show preview.json
      reme-preview show preview.json --format html --lang zh > preview.html

    The exit code is that of the run: 3 where a finding blocks.
    """
    result = read_result(result_file)
    if form == "terminal":
        print_to_terminal(result, language, details=True)
    else:
        forms = {"markdown": to_comment, "html": to_html}
        click.echo(forms[form](result, language) if form in forms else write_result(result), nl=False)
    return exit_code(result)
