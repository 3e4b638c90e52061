"""Images of others, pinned by their digests in a table with its sources."""

from infra.tables import read_table

_HUB = "docker.io/"


def find_image(name: str, mirror: str = "") -> str:
    """An image by the name that the table gives it, with tag and digest; with a `mirror` of docker.io from there.

    The digest decides what is run, so a mirror cannot change it.
    """
    image = next(row["image"] for row in read_table("images.csv") if row["name"] == name)
    return f"{mirror}/{image.removeprefix(_HUB)}" if mirror and image.startswith(_HUB) else image
