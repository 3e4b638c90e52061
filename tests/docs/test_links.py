"""Every link inside the repository leads somewhere."""

import pytest

from tests.docs.pages import ROOT, anchors, files, links, read

PAGES = [name for name in files() if name.endswith(".md")]


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_page_resolve(name: str) -> None:
    for link in links(read(name)):
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name}: {link} leads nowhere"
        assert path.resolve().is_relative_to(ROOT), f"{name}: {link} leaves the repository"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{name}: no heading for {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in seen or not name.endswith(".md") or not (ROOT / name).exists():
            continue
        seen.add(name)
        for link in links(read(name)):
            target = link.partition("#")[0]
            if target:
                path = ((ROOT / name).parent / target).resolve()
                waiting.append(path.relative_to(ROOT).as_posix())
    documentation = {name for name in PAGES if name.startswith("docs/")}
    assert documentation <= seen


def test_links_in_code_are_no_links() -> None:
    assert list(links("[a](b.md)\n\n```md\n[c](d.md)\n```\n[e](https://example.org)")) == ["b.md"]


def test_anchors_are_those_of_the_web_page() -> None:
    assert anchors("# What exists, and what does not\n\n## `diff` a-b") == {
        "what-exists-and-what-does-not",
        "diff-a-b",
    }
