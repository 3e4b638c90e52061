"""The result as the comment of a pull request: one for all stacks, found again by a hidden mark."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from infra.preview.rendering.outline import ResultView, StackView, outline_result
from infra.preview.rendering.stack_sections import Section, say
from infra.preview.result import PreviewResult
from sizing.messages import Language
from sizing.render.blocks import Bullets, Paragraph, Table

MAX_CHARACTERS = 65_536
"""What GitHub stores of a comment (its API refuses a longer body: "is too long (maximum is 65536 characters)")."""
_DROPPED_FIRST = ("properties", "notes", "unpriced", "changes", "cost", "policy", "tier", "destructive")
"""Sections in the order in which rows are taken out of them."""
_KEPT_ROWS = 5
_ESCAPED_BY_BACKSLASH = "\\|*_[]~"
_ESCAPED_BY_NUMBER = "`!$"
_PARTED = "#@"
"""Forges look for mentions and for numbers of issues in what is shown, so a blank of no width comes after these."""
_ESCAPES = str.maketrans(
    {"<": "&lt;", ">": "&gt;"}
    | {each: f"\\{each}" for each in _ESCAPED_BY_BACKSLASH}
    | {each: f"&#{ord(each)};" for each in _ESCAPED_BY_NUMBER}
    | {each: f"&#{ord(each)};&#8203;" for each in _PARTED}
)
_ICONS = {"pass": "✅", "warn": "⚠️", "block": "⛔"}


def mark(tag: str = "") -> str:
    """The hidden line by which the comment of a tag is found again."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "-", tag)
    return f"<!-- reme-preview{':' + safe if safe else ''} -->"


def to_comment(
    result: PreviewResult, language: Language = "en", *, tag: str = "", limit: int = MAX_CHARACTERS, link: str = ""
) -> str:
    """The comment, below `limit` characters; what is cut is counted, and `link` leads to the whole.

    Details go first, then rows of the longest tables; the summary and the findings stay as long as anything does.
    """
    view = outline_result(result, language)
    view = replace(view, stacks=tuple(stack for stack in view.stacks if not stack.quiet))
    stacks = list(view.stacks)
    text = _write(view, stacks, tag, link)
    for key in _DROPPED_FIRST:
        if len(text) <= limit:
            return text
        stacks = [_shorten(stack, key, language) for stack in stacks]
        text = _write(view, stacks, tag, link)
    for key in _DROPPED_FIRST:
        if len(text) <= limit:
            return text
        stacks = [_drop(stack, key, language) for stack in stacks]
        text = _write(view, stacks, tag, link)
    if view.findings is not None and len(text) > limit:
        view = replace(view, findings=_cut_table(view.findings, _KEPT_ROWS, language))
        text = _write(view, stacks, tag, link)
    while len(text) > limit and stacks:
        stacks = stacks[: len(stacks) // 2]
        kept = _cut_table(view.summary, max(len(stacks), 1), language)
        text = _write(replace(view, summary=kept), stacks, tag, link)
    return text if len(text) <= limit else _write_least(view, tag)


def _write(view: ResultView, stacks: Sequence[StackView], tag: str, link: str) -> str:
    """The comment of these stacks, which may be fewer and shorter than the view's own."""
    parts = [mark(tag), f"## {_ICONS[view.verdict]} {escape(view.title)}", f"**{escape(view.headline)}**"]
    parts.append(f"{escape(view.between)}. {escape(view.judgement)}")
    parts.append(_table(view.summary))
    if view.findings is not None:
        parts += [f"### {escape(say('section.findings', view.language))}", _table(view.findings)]
    for stack in stacks:
        parts.append(_write_stack(stack))
    if view.quiet:
        parts.append(escape(view.quiet))
    missing = _count_rows(view.stacks) - _count_rows(stacks)
    if missing:
        parts.append(f"**{escape(say('cut', view.language, count=missing))}**")
    footer = f"<sub>{escape(view.footer)}</sub>"
    if re.fullmatch(r"https://[A-Za-z0-9./_-]+", link):
        footer += f" [→]({link})"
    parts.append(footer)
    return "\n\n".join(parts) + "\n"


def _write_least(view: ResultView, tag: str) -> str:
    """What fits always: names and messages of a result may be as long as they like."""
    missing = _count_rows(view.stacks) + len(view.summary.rows) + (len(view.findings.rows) if view.findings else 0)
    parts = [mark(tag), f"## {_ICONS[view.verdict]} {escape(view.title)}", escape(view.judgement)]
    parts.append(f"**{escape(say('cut', view.language, count=missing))}**")
    return "\n\n".join(parts) + "\n"


def _write_stack(stack: StackView) -> str:
    opened = " open" if stack.needs_action else ""
    inner = "\n\n".join(_write_section(section) for section in stack.sections)
    return f"<details{opened}><summary><b>{escape(stack.headline)}</b></summary>\n\n{inner}\n\n</details>"


def _write_section(section: Section) -> str:
    parts = []
    for block in section.blocks:
        if isinstance(block, Paragraph):
            parts.append(f"**{escape(block.text)}**" if block.strong else escape(block.text))
        elif isinstance(block, Bullets):
            parts.append("\n".join(f"- {escape(item)}" for item in block.items))
        else:
            parts.append(_table(block))
    body, title = "\n\n".join(parts), escape(section.title)
    if section.first:
        return f"#### {title}\n\n{body}"
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _table(table: Table) -> str:
    rules = ["---:" if index in table.right else "---" for index in range(len(table.columns))]
    rows = [[escape(cell) for cell in row] for row in table.rows]
    if table.total and rows:
        rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
    lines = [[escape(column) for column in table.columns], rules, *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


@lru_cache(maxsize=50_000)
def escape(text: str) -> str:
    """Text that GitHub shows as it is: no markup, no link, nobody is mentioned, no other issue is referred to."""
    flat = text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
    flat = " ".join(flat.split())
    escaped = flat.replace("&", "&amp;").translate(_ESCAPES)
    return re.sub(r"(?i)\b(https?|ftp|mailto):|\bwww\.", _unlink, escaped)


def _unlink(match: "re.Match[str]") -> str:
    return match.group(0).replace(":", "&#58;").replace(".", "&#46;")


def _shorten(stack: StackView, key: str, language: Language) -> StackView:
    """The stack with at most some rows in the tables of one section."""
    sections = [
        replace(section, blocks=tuple(_cut_block(block, language) for block in section.blocks))
        if section.key == key
        else section
        for section in stack.sections
    ]
    return replace(stack, sections=tuple(sections))


def _cut_block(block: Paragraph | Bullets | Table, language: Language) -> Paragraph | Bullets | Table:
    if isinstance(block, Table):
        return _cut_table(block, _KEPT_ROWS, language)
    if isinstance(block, Bullets) and len(block.items) > _KEPT_ROWS:
        left = len(block.items) - _KEPT_ROWS
        return Bullets(items=(*block.items[:_KEPT_ROWS], say("more", language, count=left)))
    return block


def _cut_table(table: Table, kept: int, language: Language) -> Table:
    """The first rows of a table, its sum, and how many are missing."""
    body, total = (table.rows[:-1], table.rows[-1:]) if table.total else (table.rows, ())
    if len(body) <= kept:
        return table
    blank = ("",) * (len(table.columns) - 1)
    missing = (say("more", language, count=len(body) - kept), *blank)
    return replace(table, rows=(*body[:kept], missing, *total))


def _count_rows(stacks: Sequence[StackView]) -> int:
    """How many rows and items of the result the stacks show, apart from those that say how many are missing."""
    blocks = [block for stack in stacks for section in stack.sections for block in section.blocks]
    return sum(
        len(block.rows) if isinstance(block, Table) else len(block.items) if isinstance(block, Bullets) else 0
        for block in blocks
    )


def _drop(stack: StackView, key: str, language: Language) -> StackView:
    sections = []
    for section in stack.sections:
        if section.key == key and section.blocks:
            text = say("cut-section", language, title=section.title)
            sections.append(Section(key=key, title=section.title, blocks=(Paragraph(text=text),)))
        else:
            sections.append(section)
    return replace(stack, sections=tuple(sections))
