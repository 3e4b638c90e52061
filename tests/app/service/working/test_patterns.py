"""Searching: any pattern, and none that takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.service.working.drafts import count_lines
from app.service.working.patterns import find_matches, slice_lines, split_lines
from tests.servers.waiting import PATIENCE_S

TEXT = "Error 12 in module A\nall is well\n\n咖啡 is 12 yuan\nERROR 3\nlast line without an end"


def find(pattern: str, text: str = TEXT, *, ignore_case: bool = True, limit: int = 50) -> list[int]:
    content = text.encode()
    chunks = [content[at : at + 7] for at in range(0, len(content), 7)]
    matches = find_matches(chunks, pattern, ignore_case=ignore_case, limit=limit, most_s=PATIENCE_S)
    lines = text.split("\n")
    assert all(match.text == lines[match.line - 1][:2_000] for match in matches)
    return [match.line for match in matches]


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("error", [1, 5]),
        ("咖啡", [4]),
        ("STRASSE", []),
        (r"error \d+$", [5]),
        (r"^\w+ (12|3)\b", [1, 5]),
        (r"module [ab]|last", [1, 6]),
        (r"(?P<twice>l)(?P=twice)", [2]),
        (r"12(?! yuan)", [1]),
        (".", [1, 2, 4, 5, 6]),
        ("^$", [3]),
    ],
)
def test_lines_are_found(pattern: str, lines: list[int]) -> None:
    assert find(pattern) == lines


def test_case_and_limit() -> None:
    assert find("ERROR", ignore_case=False) == [5]
    assert find("E[R]+OR", ignore_case=False) == [5]
    assert find("e", limit=2) == [1, 2]
    assert find("[e]", limit=2) == [1, 2]


def test_a_long_line_is_shown_in_part() -> None:
    assert find("needle", "x" * 5_000 + "needle") == [1]
    assert find("needl[e]", "x" * 5_000 + "needle") == [1]


def test_bytes_that_are_no_text_do_no_harm() -> None:
    for pattern in ("tea", "t[e]a"):
        (match,) = find_matches([b"\xff\xfe\x00\ntea \xff\n"], pattern, ignore_case=True, limit=5, most_s=PATIENCE_S)
        assert match.line == 2


@pytest.mark.parametrize("pattern", ["", "x" * 1_001, "(", "[", "a{2,1}", "*", "(?P<a>x)(?P<a>y)", "\\", "(?z)"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="pattern"):
        find(pattern)


def test_a_deep_pattern_is_refused_or_searched() -> None:
    with pytest.raises(InvalidRequest, match="regular expression"):
        find("(" * 499 + "a" + ")" * 499)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_limits(limit: int) -> None:
    with pytest.raises(InvalidRequest, match="1 to 1,000"):
        find("x", limit=limit)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a|aa)+$", r"(.*a){25}$", r"(?:a*)*b"])
def test_an_attack_ends(pattern: str) -> None:
    """Unbounded, each of them takes longer than anyone waits."""
    with pytest.raises(InvalidRequest, match="ended"):
        find_matches([b"a" * 50_000 + b"!"], pattern, ignore_case=True, limit=5, most_s=0.5)


CHUNKS = st.lists(st.binary(max_size=6).map(lambda each: each.replace(b"\x01", b"\n")), max_size=8)


@given(chunks=CHUNKS, offset=st.integers(0, 6), limit=st.one_of(st.none(), st.integers(1, 6)))
def test_pages_of_lines_are_cut_from_the_text(chunks: list[bytes], offset: int, limit: int | None) -> None:
    lines = list(split_lines(chunks))
    assert b"".join(lines) == b"".join(chunks)
    assert len(lines) == count_lines(b"".join(chunks))
    assert all(line.index(b"\n") == len(line) - 1 for line in lines[:-1])
    pieces = list(slice_lines(chunks, offset=offset, limit=limit))
    assert b"".join(pieces) == b"".join(lines[offset:][:limit])
    assert b"" not in pieces
