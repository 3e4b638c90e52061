"""The policies that a stack breaks as the result tells them, and which of them the change brings."""

from collections import Counter
from collections.abc import Iterable

from infra.preview.result import Violation
from policies.judgement import Violation as Judged


def describe_violations(before: Iterable[Judged], after: Iterable[Judged]) -> tuple[Violation, ...]:
    """What is broken after the change; what cannot be judged yet is left out.

    A violation was there before if the same was said of the resource then. One whose words differ, such as another
    amount over a budget, was there too where the rule was broken as often before.
    """
    olds = [each for each in before if each.judged]
    news = [each for each in after if each.judged]
    same = {_key(each) for each in olds} & {_key(each) for each in news}
    left = Counter((each.rule, each.urn) for each in olds if _key(each) not in same)
    found = []
    for each in news:
        place = (each.rule, each.urn)
        is_old = _key(each) in same
        if not is_old and left[place]:
            left[place] -= 1
            is_old = True
        found.append(_describe(each, is_new=not is_old))
    return tuple(found)


def _key(each: Judged) -> tuple[str, str, str]:
    return each.rule, each.urn, each.message


def _describe(each: Judged, *, is_new: bool) -> Violation:
    # The name stands beside the message wherever it is shown.
    message = each.message.removeprefix(f"{each.name}: ")
    return Violation(
        rule=each.rule,
        level=each.level,
        urn=each.urn[:1000],
        name=each.name[:1000],
        message=message[:4000],
        remedy=each.remedy[:4000],
        is_new=is_new,
    )
