"""The two READMEs agree, the changelog keeps its form, and no page speaks of what is not the product."""

import re

import pytest

from tests.docs.pages import FENCE, ROOT, files, headings, links, prose, read

ENGLISH, CHINESE = "README.md", "README.zh-CN.md"


def commands(name: str) -> list[str]:
    """Return the command lines of a README, the language flag left out."""
    blocks = [block["body"] for block in FENCE.finditer(read(name)) if block["lang"] in ("sh", "console")]
    return [line.removesuffix(" --lang zh") for block in blocks for line in block.splitlines()]


def test_both_readmes_have_the_same_outline() -> None:
    assert [level for level, _ in headings(read(ENGLISH))] == [level for level, _ in headings(read(CHINESE))]
    languages = [[block["lang"] for block in FENCE.finditer(read(name))] for name in (ENGLISH, CHINESE)]
    assert languages[0] == languages[1]


def test_both_readmes_show_the_same_commands() -> None:
    assert commands(ENGLISH) == commands(CHINESE)
    assert commands(ENGLISH)[:2] == ["make demo", "make test"]


def test_both_readmes_link_to_the_same_pages() -> None:
    found = [sorted({*links(read(name))} - {ENGLISH, CHINESE}) for name in (ENGLISH, CHINESE)]
    assert found[0] == found[1]


def test_both_readmes_have_the_same_tables() -> None:
    rows = [
        [line.count("|") for line in read(name).splitlines() if line.startswith("|")] for name in (ENGLISH, CHINESE)
    ]
    assert rows[0] == rows[1]
    figures = [re.findall(r"\$\d[\d,]*(?:\.\d+)?", read(name)) for name in (ENGLISH, CHINESE)]
    assert sorted(figures[0]) == sorted(figures[1])


def test_the_chinese_readme_is_chinese() -> None:
    characters = re.findall(r"[\u4e00-\u9fff]", read(CHINESE))
    assert len(characters) > 800
    # An example may show that Chinese works; the text around it is English.
    assert not re.findall(r"[\u4e00-\u9fff]", prose(read(ENGLISH)).replace("中文", ""))


def test_the_readme_names_what_does_not_exist_yet() -> None:
    for package in ("app", "infra", "policies"):
        modules = [path for path in (ROOT / package).rglob("*.py") if path.read_text(encoding="utf-8").strip()]
        row = next(line for line in read(ENGLISH).splitlines() if f"`{package}/`" in line)
        assert ("only its package docstring" in row) == (len(modules) <= 1), f"README.md is wrong about {package}"


SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_the_changelog_keeps_its_form() -> None:
    found = headings(read("CHANGELOG.md"))
    assert found[0] == (1, "Changelog")
    assert found[1] == (2, "[Unreleased]")
    for level, title in found[1:]:
        if level == 2:
            assert re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", title)
        else:
            assert (level, title) in [(3, section) for section in SECTIONS]


FORBIDDEN = {
    "a path of one machine": r"/(?:wo" + r"rk|ro" + r"ot|ho" + r"me|Users)/\w",
    "a package index": r"pypi\." + r"org|pythonhosted\." + r"org|npmjs\." + r"(?:org|com)",
    "a tracker": r"(?i)\bissue" + r" #\d|\bissues/" + r"\d",
    "a word about how it was made": r"(?i)\bses" + r"sions?\b",
    "another word about how it was made": r"(?i)\bhel" + r"pers?\b",
}
ALLOWED = {
    "a word about how it was made": ("app/", "infra/", "tests/"),
    "another word about how it was made": ("tests/",),
}
"""The service and its protocols know a term of that name, and so do pytest and a test of vague module names."""

BINARY = (".png", ".ico", ".gz", ".zip", ".woff2")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = []
    for name in files():
        if name.endswith((*BINARY, "requirements.lock")) or name.startswith(ALLOWED.get(what, ())):
            continue
        try:
            text = read(name)
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}:{number}" for number, line in enumerate(text.splitlines(), 1) if re.search(FORBIDDEN[what], line)
        ]
    assert not found
