"""Long texts in pieces that overlap, so that nothing hides at an edge."""

OVERLAP_CHARACTERS = 200
"""Ours: a sentence or two, so that what is cut by one edge stands whole in the next piece."""


def cut_pieces(text: str, limit: int, *, overlap: int = OVERLAP_CHARACTERS) -> list[str]:
    """The text in pieces of at most `limit` characters, each but the first beginning with the end of the one before.

    Characters beyond the basic plane count twice, as in UTF-16. Halves of surrogate pairs, which no request can carry,
    become question marks. The last piece ends with the text; a text without words has none.
    """
    sendable = text.encode("utf-8", "replace").decode()
    if not sendable.strip():
        return []
    if max(sendable) > "\uffff":
        limit //= 2
    step = limit - overlap
    starts = range(0, max(1, len(sendable) - overlap), step)
    return [sendable[start : start + limit] for start in starts]
