"""Write docs/accuracy.md and docs/accuracy.csv; ``--check`` only tells whether they are up to date."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.accuracy.document import ACCOUNT, ALL_FIGURES, write_account, write_figures


def main() -> int:
    """Write both files, or compare them; return 1 where a compared file is out of date."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for path, text in ((ACCOUNT, write_account()), (ALL_FIGURES, write_figures())):
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if stale:
        print(f"out of date: {', '.join(stale)}; run python tools/write_accuracy.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
