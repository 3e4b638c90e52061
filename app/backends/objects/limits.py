"""How large an object may be, and what is said where there is one."""

from app.errors import PayloadTooLarge

MOST_BYTES = 104_857_600
"""100 MiB, requirements §4.4 `max_file_size`."""
THERE = "an object of this name is there already"


def check_size(content: bytes, most_bytes: int) -> None:
    """Raise `PayloadTooLarge` for a text beyond the limit."""
    if len(content) > most_bytes:
        raise PayloadTooLarge(
            f"a text of {len(content):,} bytes is too large to be stored, at most {most_bytes:,} are allowed: "
            "split it, or raise storage.max_file_bytes"
        )
