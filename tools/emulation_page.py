"""The reference page of the emulated AWS: what the emulators do otherwise than AWS, which no life of a stack shows."""

import csv
from collections.abc import Callable
from pathlib import Path

from tools.reference_pages import REFERENCE, code, page, table

EMULATED = Path(__file__).parents[1] / "tests" / "emulated_aws"

_LEAD = (
    "The tests let whole stacks live on an emulated AWS: ministack, and moto for CloudWatch. "
    "[Stacks on AWS](../howto/stacks-on-aws.md) says what is shown by it. An attribute in the first table is set as "
    "the stack says, and is not believed when the emulator answers: a change of it by the stack still counts."
)
_PLANNED = "The emulators do not have these at all: the provider checks and plans them, and nothing is called."
_LEFT = (
    "When a stack is gone, all that the emulators hold must be what `reme-deploy destroy` announced. These entries of "
    "their books do not count; those of the emulator only where no resource of a stack is meant."
)


def _read(name: str) -> list[dict[str, str]]:
    with (EMULATED / name).open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: tuple(row.values()))


def write_emulation_page() -> str:
    """Write the page from `differences.csv` and `leftovers.csv`."""
    differences = _read("differences.csv")
    return page(
        "What the emulated AWS does otherwise",
        _LEAD,
        table(
            ("Resource of Terraform", "Attribute", "By", "What"),
            [
                (code(row["type"]), code(row["attribute"]), row["emulator"], row["what"])
                for row in differences
                if row["attribute"] != "*"
            ],
        ),
        "## Planned only",
        _PLANNED,
        table(
            ("Resource of Terraform", "Why"),
            [(code(row["type"]), row["what"]) for row in differences if row["attribute"] == "*"],
        ),
        "## Not counted as left",
        _LEFT,
        table(
            ("Service", "Book", "State", "Whose", "Why"),
            [
                (row["service"], code(row["book"]), row["state"].replace("*", "any"), row["whose"], row["why"])
                for row in _read("leftovers.csv")
            ],
        ),
    )


EMULATION_FILES: dict[str, Callable[[], str]] = {f"{REFERENCE}/emulated-aws.md": write_emulation_page}
