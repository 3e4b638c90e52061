"""Writing of whole files: never half of one."""

import os
import tempfile
from pathlib import Path

from sizing.errors import InvalidWorkload


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the new one, whole.

    Raises InvalidWorkload where the folder does not exist or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InvalidWorkload("file", str(path), f"a file in an existing, writable folder ({error.strerror})") from None
