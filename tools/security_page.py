"""The reference page of the stacks' security checks: which of Checkov's they pass, and which failures are accepted."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tools.reference_pages import REFERENCE, code, page, table

_VERDICTS = ("passed", "waived", "not-applicable")
CHECKS = Path(__file__).parents[1] / "tests" / "infra" / "checkov"

_LEAD = (
    "Every AWS stack in `infra/stacks` is read by [Checkov](https://www.checkov.io) against the checks below, and each "
    "check is tried on a stack that was spoiled for it: a check that does not fail there does not count. Checkov reads "
    "the stacks in Terraform's words, without an account and without a network."
)
_RUN = (
    "```sh\nbash tools/install-checkov.sh\n.venv/bin/pytest tests/infra/checkov\n```\n\n"
    "A failure that is not among the accepted ones fails the tests; so does one that is accepted and no longer "
    "happens, or whose day has passed."
)
_WAIVED = (
    "These fail somewhere, for a reason, until a day. Resource and stack are patterns: the first of Terraform's "
    "address, the second of the stack's name."
)
_BLIND = "Checkov can say nothing of these here: no stack has what they read, or they do not see what they ask for."
_ALICLOUD = (
    "Every check of Alibaba Cloud that Checkov has, and what the recorded stacks of that cloud show. Each is tried on "
    "a resource that keeps it and on one that does not. The tests fail where a check fails elsewhere than its reason "
    "says, where a waived one passes everywhere, and where a stack has what is said to be not applicable."
)


def _read(name: str) -> list[dict[str, str]]:
    with (CHECKS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_security_page() -> str:
    """Write the page from `ids.csv` and `waivers.csv`."""
    rules, waivers = _read("ids.csv"), _read("waivers.csv")
    counted = Counter(rule["status"] for rule in rules)
    waived = {waiver["id"] for waiver in waivers}
    excepted = sum(rule["status"] == "passes" and rule["id"] in waived for rule in rules)
    figures = table(
        ("Checks", "Count"),
        [
            ("pass in every stack that has their resources", counted["passes"] - excepted),
            ("pass, with accepted failures", excepted),
            ("fail wherever they apply, and are accepted", counted["waived"]),
            ("cannot be verified", counted["not verifiable"]),
        ],
        right=(1,),
    )
    passing = [
        (code(rule["id"]), rule["area"], rule["name"], "with exceptions" if rule["id"] in waived else "")
        for rule in rules
        if rule["status"] == "passes"
    ]
    accepted = [
        (code(waiver["id"]), code(waiver["resource"]), code(waiver["stack"]), waiver["reason"], waiver["expires"])
        for waiver in waivers
    ]
    blind = [
        (code(rule["id"]), rule["area"], rule["name"], rule["reason"])
        for rule in rules
        if rule["status"] == "not verifiable"
    ]
    return page(
        "Security checks of the stacks",
        _LEAD,
        _RUN,
        figures,
        "## Accepted failures",
        _WAIVED,
        table(("Check", "Resource", "Stack", "Reason", "Until"), accepted),
        "## Checks that pass",
        table(("Check", "Of", "What it asks for", "Note"), passing),
        "## Not verifiable",
        _BLIND,
        table(("Check", "Of", "What it asks for", "Reason"), blind),
        "## Alibaba Cloud",
        _ALICLOUD,
        _write_alicloud(),
    )


def _write_alicloud() -> str:
    """The table of Alibaba Cloud's checks, by verdict."""
    rules = sorted(_read("alicloud_rules.csv"), key=lambda rule: _VERDICTS.index(rule["verdict"]))
    rows = [(code(rule["id"]), rule["name"], rule["resource"], rule["verdict"], rule["reason"]) for rule in rules]
    return table(("Check", "What it asks for", "Of", "Verdict", "Reason"), rows)


SECURITY_FILES: dict[str, Callable[[], str]] = {f"{REFERENCE}/security-checks.md": write_security_page}
