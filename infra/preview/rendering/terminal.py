"""The result in a terminal."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from infra.preview.rendering.outline import ResultView, StackView, outline_result
from infra.preview.result import PreviewResult, Verdict
from sizing.messages import Language
from sizing.render.blocks import Bullets, Paragraph, Table

_STYLES: dict[Verdict, str] = {"pass": "green", "warn": "yellow", "block": "bold red"}
_WORST = "destructive"


def print_result(result: PreviewResult, console: Console, language: Language = "en", *, details: bool = True) -> None:
    """Print a result; without `details` only the summary, the findings, and why a stack failed."""
    failed = {stack.name for stack in result.failed}
    view = outline_result(result, language)
    console.print(_head(view))
    if view.findings is not None:
        console.print(_table(view.findings))
    for stack in view.stacks:
        if stack.name in failed or (details and not stack.quiet):
            console.print(_stack(stack))
    if view.quiet:
        console.print(Text(f"\n{view.quiet}"))
    console.print(Text(view.footer, style="dim"))


def _head(view: ResultView) -> RenderableType:
    return Group(
        Text(view.headline, style="bold"),
        Text(view.between, style="dim"),
        Text(view.judgement, style=_STYLES[view.verdict]),
        _table(view.summary),
    )


def _stack(stack: StackView) -> RenderableType:
    parts: list[RenderableType] = [Text(""), Text(stack.headline, style="bold red" if stack.needs_action else "bold")]
    for section in stack.sections:
        parts.append(Padding(Text(section.title, style="red" if section.key == _WORST else "cyan"), (0, 0, 0, 2)))
        parts += [Padding(_block(block), (0, 0, 0, 2)) for block in section.blocks]
    return Group(*parts)


def _block(block: Paragraph | Bullets | Table) -> RenderableType:
    if isinstance(block, Paragraph):
        return Text(block.text, style="bold" if block.strong else "")
    if isinstance(block, Bullets):
        return Group(*(Text(f"- {item}") for item in block.items))
    return _table(block)


def _table(table: Table) -> RenderableType:
    drawn = RichTable(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if index in table.right else "left", overflow="fold")
    for number, row in enumerate(table.rows):
        last = table.total and number == len(table.rows) - 1
        drawn.add_row(*(Text(cell) for cell in row), style="bold" if last else "")
    return drawn
