"""The result as one page to keep: self-contained, readable without a network or a script."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.preview.rendering.outline import outline_result
from infra.preview.rendering.stack_sections import say
from infra.preview.result import PreviewResult
from sizing.messages import Language
from sizing.render.html import TEMPLATES as REPORT_TEMPLATES

TEMPLATES = Path(__file__).parent / "templates"


def to_html(result: PreviewResult, language: Language = "en") -> str:
    """The result as an HTML document, everything of it escaped."""
    template = _environment().get_template("preview.html.j2")
    view = outline_result(result, language)
    return template.render(view=view, findings_title=say("section.findings", language)) + "\n"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader([TEMPLATES, REPORT_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
