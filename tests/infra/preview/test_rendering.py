"""The comment, the terminal and the page: whole, in both languages, cut where it must be, and safe."""

import re
from collections.abc import Callable
from io import StringIO
from typing import get_args

import pytest
from pydantic import ValidationError
from rich.console import Console

from infra.preview.guardrails import judge, parse_guardrails
from infra.preview.rendering.figures import show_change, show_percent, show_usd
from infra.preview.rendering.markdown import MAX_CHARACTERS, escape, mark, to_comment
from infra.preview.rendering.page import to_html
from infra.preview.rendering.terminal import print_result
from infra.preview.result import Finding, PreviewResult, Property, StackResult, Violation
from sizing.messages import LANGUAGES, Language
from tests.infra.preview.results import calm, change, production, spend, whole

GUARDRAILS = "limits: {max_increase_usd: 100}"
HOSTILE = (
    "</details><img src=x onerror=alert(1)> [click](javascript:alert) ![i](https://evil.example/p.png) @everyone #1 "
    "https://evil.example www.evil.example `code` | cell | **bold** $x$ \n\n# heading\n<!-- reme-preview -->"
)


def judged(*stacks: StackResult) -> PreviewResult:
    result = whole(*stacks)
    return result.model_copy(update={"findings": judge(result, parse_guardrails(GUARDRAILS, "file"))})


def printed(result: PreviewResult, language: Language) -> str:
    out = StringIO()
    print_result(result, Console(file=out, width=160), language)
    return out.getvalue()


@pytest.mark.parametrize("language", get_args(Language))
def test_the_comment_reads_as_it_did(language: Language, golden: Callable[[str, str], None]) -> None:
    golden(f"preview/comment.{language}.md", to_comment(judged(), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_terminal_reads_as_it_did(language: Language, golden: Callable[[str, str], None]) -> None:
    lines = [line.rstrip() for line in printed(judged(), language).splitlines()]
    golden(f"preview/terminal.{language}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_everything_that_the_result_has(language: Language) -> None:
    page = to_html(judged(), language)
    for said in ("aws-prod", "aws-dev", "kmsKeyId", "old-volume", "database-multi-zone", "$1,419.24", "mesh"):
        assert said in page
    assert "http://" not in page
    assert "<script" not in page


def test_a_calm_stack_takes_one_line() -> None:
    comment = to_comment(judged())
    assert "Nothing changes in aws-dev." in comment
    assert comment.count("<summary><b>") == 1


def test_nothing_at_all_says_so() -> None:
    comment = to_comment(whole(calm()))
    assert "Nothing changes. No change in cost, &#36;32.87 a month in all" in comment
    assert "No guardrail is broken." in comment


def test_a_stack_that_failed_shows_why() -> None:
    failed = StackResult(name="aws-dev", status="failed", how="offline", error="the program ended: NameError")
    for text in (to_comment(whole(failed)), to_html(whole(failed)), printed(whole(failed), "en")):
        assert "the program ended: NameError" in text
        assert "1 stack could not be previewed" in text


def test_a_secret_is_named_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="is a secret, and its value is given"):
        Property(path="password", before="hunter2", secret=True)
    for text in (to_comment(judged()), to_html(judged()), printed(judged(), "en")):
        assert re.search(r"tags\.token\W.*\bsecret\b", text, re.S)


def hostile() -> PreviewResult:
    """A result in which every text is somebody's attempt."""
    stack = production().model_copy(
        update={
            "name": HOSTILE,
            "changes": (change(HOSTILE, "replace", HOSTILE, type_=HOSTILE),),
            "violations": (
                Violation(rule=HOSTILE, level="mandatory", urn=HOSTILE, name=HOSTILE, message=HOSTILE, remedy=HOSTILE),
            ),
            "notes": (HOSTILE,),
        }
    )
    found = Finding(guardrail=HOSTILE, stack=HOSTILE, level="block", message=HOSTILE, remedy=HOSTILE)
    return whole(stack).model_copy(update={"findings": (found,), "base": HOSTILE, "head": HOSTILE})


def test_no_text_of_a_stranger_becomes_markup_in_the_comment() -> None:
    comment = to_comment(hostile())
    assert comment.count("<!--") == 1
    assert "<img" not in comment
    assert "@everyone" not in comment
    assert not re.search(r"(?<!\\)\[click(?<!\\)\]", comment)
    assert not re.search(r"https?:|\bwww\.", comment)
    assert not re.search(r"(?m)^# heading", comment)
    assert "`code`" not in comment
    assert comment.count("<details") == comment.count("</details>")


def test_no_text_of_a_stranger_becomes_markup_on_the_page() -> None:
    page = to_html(hostile())
    assert "<img" not in page
    assert page.count("<!--") == 0
    assert page.count("<details") == page.count("</details>")


def test_each_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", to_comment(hostile()), re.M):
        lines = block.splitlines()
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(cells) == 1, lines


@pytest.mark.slow
@pytest.mark.parametrize("stacks", [1, 20])
def test_a_long_comment_is_cut_and_says_how_much(stacks: int) -> None:
    changes = tuple(change(f"resource-{number}", "replace", f"p{number}", loses_data=True) for number in range(600))
    big = [production().model_copy(update={"name": f"stack-{n}", "changes": changes}) for n in range(stacks)]
    comment = to_comment(judged(*big))
    assert len(comment) <= MAX_CHARACTERS
    missing = re.search(r"\*\*(\d+) more rows are left out here", comment)
    assert missing
    assert int(missing[1]) > 500
    assert comment.count("<details") == comment.count("</details>")
    assert "This change is blocked" in comment


def test_the_worst_is_cut_last() -> None:
    rows = tuple(change(f"volume-{number}", "delete") for number in range(30))
    made = tuple(change(f"group-{number}", "update", f"p{number}") for number in range(800))
    comment = to_comment(whole(production().model_copy(update={"changes": (*rows, *made)})))
    assert len(comment) <= MAX_CHARACTERS
    assert all(f"volume-{number} " in comment for number in range(30))


@pytest.mark.slow
def test_a_thousand_stacks_fit() -> None:
    many = [production().model_copy(update={"name": f"stack-{number}-{'x' * 60}"}) for number in range(1000)]
    comment = to_comment(judged(*many))
    assert len(comment) <= MAX_CHARACTERS
    assert comment.startswith(mark())


def test_a_comment_of_the_longest_texts_fits() -> None:
    long = Violation(rule="`" * 1000, level="mandatory", urn="", name="`" * 1000, message="`" * 4000, remedy="`" * 4000)
    worst = production().model_copy(update={"name": "`" * 1000, "violations": (long,) * 9})
    comment = to_comment(judged(worst))
    assert len(comment) <= MAX_CHARACTERS
    assert comment.startswith(mark())
    assert "more rows are left out here" in comment


def test_a_preview_without_a_stack_that_worked_tells_no_cost() -> None:
    failed = StackResult(name="aws-dev", status="failed", how="offline", error="the program ended")
    assert "No stack could be previewed, so nothing is known of the cost" in printed(whole(failed), "en")
    assert "1 stack that failed is not counted" in printed(whole(failed, production()), "en")
    console = Console(width=140, file=StringIO())
    print_result(whole(failed), console, details=False)
    assert "the program ended" in console.file.getvalue(), "a summary says why, too"  # type: ignore[attr-defined]


def test_a_stack_that_is_removed_still_stands() -> None:
    assert "until somebody runs it, everything stays" in printed(
        whole(calm().model_copy(update={"status": "removed"})), "en"
    )


def test_the_mark_of_a_tag_cannot_end_early() -> None:
    assert mark("prod --> x") == "<!-- reme-preview:prod-----x -->".replace("-----", "-----")
    assert mark("a").count("-->") == mark("--> b").count("-->") == 1


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://github.com/o/r/actions/runs/7", True),
        ("javascript:alert(1)", False),
        ("https://x.example/) [a](b", False),
    ],
)
def test_only_a_plain_address_becomes_a_link(link: str, *, shown: bool) -> None:
    assert ("[→](" in to_comment(whole(), link=link)) is shown


def test_figures() -> None:
    assert show_usd(spend("-1234.5").expected) == "-$1,234.50"
    assert show_change(spend("0.004").expected) == "–"
    assert show_change(spend("12").expected) == "+$12.00"
    assert show_percent(spend("100").expected, spend("150").expected) == "(+50 %)"
    assert show_percent(spend("1000").expected, spend("1004").expected) == "(+0.4 %)"
    assert show_percent(spend("0").expected, spend("5").expected) == ""
    assert escape("@a #1") == "&#64;&#8203;a &#35;&#8203;1"
    assert escape("a_b & <c>") == "a\\_b &amp; &lt;c&gt;"
