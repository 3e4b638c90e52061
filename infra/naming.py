"""Physical names that a service needs fixed, within its limits."""

import hashlib
import re

_HASH_DIGITS = 7


def fix_name(stack: str, part: str, longest: int) -> str:
    """Return `<stack>-<part>` of small letters, digits and single hyphens, a letter first; a long one gets a hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{part}".lower()).strip("-")
    name = plain if plain[:1].isalpha() else f"s-{plain}"
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{name[: longest - _HASH_DIGITS - 1].rstrip('-')}-{digest}"
