"""The report as Markdown, for a repository, a wiki or a pull request."""

from sizing.assessment import Assessment
from sizing.messages import Language
from sizing.render.blocks import Bullets, Heading, Paragraph, Table
from sizing.render.outline import outline

_ESCAPED = str.maketrans({"|": "\\|", "*": "\\*", "<": "&lt;", ">": "&gt;", "`": "\\`", "\n": " ", "_": "\\_"})


def to_markdown(assessment: Assessment, language: Language, *, details: bool = True) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    parts: list[str] = []
    for number, block in enumerate(outline(assessment, language, details=details, wide=True)):
        if isinstance(block, Heading):
            parts.append(f"## {_escape(block.text)}")
        elif isinstance(block, Paragraph):
            text = _escape(block.text)
            parts.append(f"# {text}" if number == 0 else f"**{text}**" if block.strong else text)
        elif isinstance(block, Bullets):
            parts.append("\n".join(f"- {_escape(item)}" for item in block.items))
        else:
            parts.append(_table(block))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    rules = ["---:" if index in table.right else "---" for index in range(len(table.columns))]
    rows = [list(row) for row in table.rows]
    if table.total and rows:
        rows[-1] = [f"**{_escape(cell)}**" if cell else "" for cell in rows[-1]]
        body = [[_escape(cell) for cell in row] for row in rows[:-1]] + [rows[-1]]
    else:
        body = [[_escape(cell) for cell in row] for row in rows]
    lines = [[_escape(column) for column in table.columns], rules, *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _escape(text: str) -> str:
    return text.translate(_ESCAPED)
