"""Images of others, pinned by their digests in a table with its sources."""

from infra.tables import read_table


def find_image(name: str) -> str:
    """An image by the name that the table gives it, with tag and digest."""
    return next(row["image"] for row in read_table("images.csv") if row["name"] == name)
