"""For each rule: resources that keep it, one property that spoils it, and what is then said."""

from tests.policies import (
    cases_of_alicloud,
    cases_of_alicloud_conduct,
    cases_of_conduct,
    cases_of_exposure,
    cases_of_storage,
)
from tests.policies.case import Case

CASES: tuple[Case, ...] = (
    *cases_of_storage.CASES,
    *cases_of_exposure.CASES,
    *cases_of_conduct.CASES,
    *cases_of_alicloud.CASES,
    *cases_of_alicloud_conduct.CASES,
)
"""Rules that read something else than a property have tests of their own in `test_rules.py`."""
