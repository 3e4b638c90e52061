"""Where a result goes: to the terminal and into files; and what the exit code is."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from infra.preview.commands.main import EXIT_FINDING
from infra.preview.guardrails import FILE
from infra.preview.result import PreviewResult, write_result
from sizing.commands.files import write_whole
from sizing.commands.subcommands import EXIT_FAILURE
from sizing.messages import LANGUAGES, Language

Command = TypeVar("Command", bound=Callable[..., Any])
WIDTH_WITHOUT_TERMINAL = 140


def output_options(command: Command) -> Command:
    """Files that the result is written to, the language, and how much is printed."""
    written = partial(click.option, type=click.Path(path_type=Path, dir_okay=False), callback=_check_folder)
    for decorate in (
        written("--json", "json_file", help="Write the result here, for `show`, `post` and programs."),
        written("--markdown", "markdown_file", help="Write the comment here."),
        written("--html", "html_file", help="Write a page here that needs no network."),
        click.option("--summary", is_flag=True, help="Print the summary and the findings alone."),
        language_option,
    ):
        command = decorate(command)
    return command


def _check_folder(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Path | None:
    """The file as it is, if its folder is there: a run that takes minutes must not end without its result."""
    if file is not None and not file.parent.is_dir():
        raise click.BadParameter(f"there is no folder {file.parent}: make it first")
    return file


def language_option(command: Command) -> Command:
    """The language of what people read."""
    return click.option("--lang", "language", type=click.Choice(LANGUAGES), default="en", show_default=True)(command)


def guardrails_option(command: Command) -> Command:
    """The file of the limits."""
    return click.option(
        "--guardrails",
        "guardrails_file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help=f"Limits that the change must keep.  [default: {FILE} of the base, where it has one]",
    )(command)


def deliver(
    result: PreviewResult,
    *,
    json_file: Path | None,
    markdown_file: Path | None,
    html_file: Path | None,
    summary: bool,
    language: Language,
) -> int:
    """Print and write a result; returns the exit code."""
    if json_file is not None:
        write_whole(json_file, write_result(result))
    if markdown_file is not None:
        from infra.preview.rendering.markdown import to_comment  # noqa: PLC0415

        write_whole(markdown_file, to_comment(result, language))
    if html_file is not None:
        from infra.preview.rendering.page import to_html  # noqa: PLC0415

        write_whole(html_file, to_html(result, language))
    print_to_terminal(result, language, details=not summary)
    return exit_code(result)


def print_to_terminal(result: PreviewResult, language: Language, *, details: bool) -> None:
    """Print a result in as many columns as there are."""
    from infra.preview.rendering.terminal import print_result  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    print_result(result, console, language, details=details)


def exit_code(result: PreviewResult) -> int:
    """1 where a stack could not be previewed, 3 where a finding blocks, else 0."""
    if result.failed:
        return EXIT_FAILURE
    return EXIT_FINDING if result.verdict == "block" else 0
