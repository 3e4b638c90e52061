"""The differences of the two clouds: the page has the table's rows as they are."""

from pathlib import Path

from infra.tables import read_table

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "stacks-on-alibaba-cloud.md"
COLUMNS = ("topic", "aws", "alicloud", "what we do")


def write_rows() -> str:
    """The rows of `infra/data/alicloud_differences.csv` in Markdown."""
    return "".join(
        f"| {' | '.join(row[name] for name in COLUMNS)} |\n" for row in read_table("alicloud_differences.csv")
    )


def test_every_difference_has_a_source_and_a_day() -> None:
    rows = read_table("alicloud_differences.csv")
    assert len({row["topic"] for row in rows}) == len(rows)
    assert not [row["topic"] for row in rows if not all(row.values())]


def test_the_page_has_the_table() -> None:
    assert write_rows() in PAGE.read_text(encoding="utf-8"), f"put these rows into {PAGE.name}:\n{write_rows()}"
