"""Access policies written as JSON: what AWS and Alibaba Cloud's RAM both call statements."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement: lists also where the document has one text alone."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    condition: Mapping[str, Any]
    excepting: bool
    """Whether it names what it does not mean (`NotAction`, `NotResource`, `NotPrincipal`)."""

    def requires(self, key: str, value: str) -> bool:
        """Whether a condition of any operator has a key with a value; neither case counts."""
        return any(
            name.lower() == key.lower() and value.lower() in {str(each).lower() for each in _list(wanted)}
            for test in self.condition.values()
            if isinstance(test, Mapping)
            for name, wanted in test.items()
        )


def read_statements(document: object) -> tuple[Statement, ...]:
    """The statements of a policy, given as text or as a mapping. Raises ValueError where it is neither."""
    if isinstance(document, str):
        document = json.loads(document)
    if not isinstance(document, Mapping):
        raise ValueError("a policy is a JSON object")
    return tuple(_read(each) for each in _list(document.get("Statement")) if isinstance(each, Mapping))


def _read(statement: Mapping[str, Any]) -> Statement:
    condition = statement.get("Condition")
    return Statement(
        allows=statement.get("Effect") == "Allow",
        actions=_texts(statement.get("Action")) or (("*",) if "NotAction" in statement else ()),
        resources=_texts(statement.get("Resource")) or (("*",) if "NotResource" in statement else ()),
        principals=tuple(_principals(statement.get("Principal"))),
        condition=condition if isinstance(condition, Mapping) else {},
        excepting=any(name in statement for name in ("NotAction", "NotResource", "NotPrincipal")),
    )


def _principals(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for kind, names in value.items():
            yield from (name if kind in ("AWS", "RAM") else f"{kind}:{name}" for name in _texts(names))
    else:
        yield from _texts(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in _list(value) if isinstance(each, str))


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
