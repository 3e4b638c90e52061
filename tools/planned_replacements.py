"""What replaces a resource of AWS, asked of Terraform's provider itself: one plan per property that changes.

Nothing is sent to AWS: a provider plans from what it is told is there, and what is wanted.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.emulated_aws.terraform import TerraformProvider, messages, pack
from tests.emulated_aws.values import empty, propose, type_of

_DEPTH = 3
"""How deep blocks are looked into; deeper ones are reported as a whole."""
_GIVEN: Mapping[str, Mapping[str, Any]] = {
    "aws_lb_target_group": {"port": 80, "protocol": "HTTP", "vpc_id": "vpc-1", "target_type": "instance"},
    "aws_alb_target_group": {"port": 80, "protocol": "HTTP", "vpc_id": "vpc-1", "target_type": "instance"},
    "aws_dynamodb_table": {"billing_mode": "PAY_PER_REQUEST"},
}
"""What a provider wants beside what its schema requires, before it plans at all."""
_MOST = 400
"""Properties of one type; of a type with more of them only the outermost are asked about."""
_LIST, _SET, _MAP = 2, 3, 4
_PATIENCE = 5
"""Plans of one type that may take too long before the rest of its properties are unsure."""
_LIMIT_S = 0.5
"""For one plan, which takes a millisecond unless the provider wants to ask AWS."""
_ID = "made-up-0123456789abcdef0"
Path = tuple[str, ...]


@dataclass
class Answers:
    """Paths of Terraform that force a replacement, and those for which the provider gives no clear answer."""

    forcing: set[Path] = field(default_factory=set)
    unsure: set[Path] = field(default_factory=set)


class Planner:
    """A provider that only plans, started again where a plan makes it crash."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._provider = self._start()
        self._slow: Counter[str] = Counter()
        self.resources = self._provider.resources

    def close(self) -> None:
        """End the provider."""
        self._provider.close()

    def plan(self, request: Any) -> Any:
        """The provider's answer; None where it refuses, takes too long or crashes."""
        if self._slow[request.type_name] >= _PATIENCE:
            return None
        try:
            answer = self._provider.stub.PlanResourceChange(request, timeout=_LIMIT_S)
        except grpc.RpcError as error:
            self._slow[request.type_name] += error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                self._provider.close()
                self._provider = self._start()
            return None
        wrong = any(each.severity == messages.Diagnostic.ERROR for each in answer.diagnostics)
        return None if wrong else answer

    def _start(self) -> TerraformProvider:
        provider = TerraformProvider(self._binary)
        provider.configure("us-east-1", {}, {}, plans_only=True)
        return provider


def ask(provider: Planner, type_: str) -> Answers:
    """Change each property of a resource of this type, one at a time."""
    block, answers = provider.resources[type_].block, Answers()
    leaves = list(itertools.islice(_leaves(block), _MOST + 1))
    if len(leaves) > _MOST:
        leaves = [each for each in leaves if len(each[0]) == 1]
        answers.unsure.update(_blocks(block))
    for path, kind in leaves:
        forces = _ask_leaf(provider, type_, block, path, kind)
        if forces is None:
            answers.unsure.add(path)
        elif forces:
            answers.forcing.add(path)
    for path in set(_blocks(block)) - answers.unsure:
        inside = any(each[: len(path)] == path for each in answers.forcing | answers.unsure)
        if not inside and _changes(provider, type_, block, path, ({}, None)) is not False:
            answers.unsure.add(path)
    return answers


def _ask_leaf(provider: Planner, type_: str, block: Any, path: Path, kind: Any) -> bool | None:
    for first, second in _pairs(path[-1], kind):
        found = _changes(provider, type_, block, path, (first, second))
        if found is not None:
            back = _changes(provider, type_, block, path, (second, first)) if kind in ("bool", "number") else found
            return found if back == found else None
    return None


def _pairs(name: str, kind: Any) -> Iterator[tuple[Any, Any]]:
    """Values before and after: the first that the provider takes count."""
    if isinstance(kind, list):
        many = kind[0] in ("list", "set")
        for first, second in _pairs(name, kind[1]) if isinstance(kind[1], str | list) else ():
            yield ([first], [second]) if many else ({"key": first}, {"key": second})
        if kind[0] == "object":
            yield dict.fromkeys(kind[1]), None
        return
    if kind == "bool":
        yield False, True
    elif kind == "number":
        yield from ((1, 2), (30, 60), (400, 500))
    else:
        arn = "arn:aws:iam::123456789012:role/{}"
        statement = '{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:{}","Resource":"*"}}]}}'
        yield from (
            ("first", "second"),
            (arn.format("first"), arn.format("second")),
            (statement.format("GetObject"), statement.format("PutObject")),
            ("10.0.0.0/16", "10.1.0.0/16"),
            ("10.0.0.1", "10.0.0.2"),
            ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
            ("1", "2"),
            ("1.0", "2.0"),
            ("us-east-1", "us-west-2"),
            ("true", "false"),
        )


def _changes(provider: Planner, type_: str, block: Any, path: Path, values: tuple[Any, Any]) -> bool | None:
    """Whether a change of this property replaces the resource; None where the provider refuses to plan."""
    given = {name: value for name, value in _GIVEN.get(type_, {}).items() if name != path[0]}
    before, after = ({**_config(block, path, value), **given} for value in values)
    prior = _prior(before, block)
    request = messages.PlanResourceChange.Request(
        type_name=type_,
        prior_state=pack(prior),
        proposed_new_state=pack(propose(prior, after, block)),
        config=pack(after),
    )
    answer = provider.plan(request)
    if answer is None:
        return None
    for each in answer.requires_replace:
        names = tuple(step.attribute_name for step in each.steps if step.attribute_name)
        if names == path[: len(names)] or path == names[: len(path)]:
            return True
    return False


def _config(block: Any, path: Path, value: Any) -> dict[str, Any]:
    """A configuration with what is required, and a value at this path."""
    made = empty(block)
    for attribute in block.attributes:
        if attribute.required:
            made[attribute.name] = next(_pairs(attribute.name, type_of(attribute)), (None, None))[0]
    name, rest = path[0], path[1:]
    for nested in block.block_types:
        if nested.type_name != name and not nested.min_items:
            continue
        if nested.type_name == name and not rest:
            inner = None if value is None else _config(nested.block, ("",), None)
        else:
            inner = _config(nested.block, rest if nested.type_name == name else ("",), value)
        if inner is not None:
            made[nested.type_name] = (
                [inner] if nested.nesting in (_LIST, _SET) else {"key": inner} if nested.nesting == _MAP else inner
            )
    if not rest and name in {attribute.name for attribute in block.attributes}:
        made[name] = value
    return made


def _prior(config: Mapping[str, Any], block: Any) -> dict[str, Any]:
    prior = dict(config)
    for attribute in block.attributes:
        if attribute.computed and prior.get(attribute.name) is None and type_of(attribute) == "string":
            prior[attribute.name] = _ID if attribute.name == "id" else None
    return prior


def _leaves(block: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for attribute in block.attributes:
        if (attribute.optional or attribute.required) and (path or attribute.name != "id"):
            yield (*path, attribute.name), type_of(attribute)
    for nested in block.block_types:
        if len(path) < _DEPTH and nested.type_name != "timeouts":
            yield from _leaves(nested.block, (*path, nested.type_name))


def _blocks(block: Any, path: Path = ()) -> Iterator[Path]:
    for nested in block.block_types:
        if nested.type_name != "timeouts":
            yield (*path, nested.type_name)


def main() -> None:
    """Print what the provider answers of some types, as JSON: `python -m tools.planned_replacements PROVIDER TYPE…`."""
    planner = Planner(sys.argv[1])
    try:
        found = {type_: ask(planner, type_) for type_ in sys.argv[2:]}
    finally:
        planner.close()
    print(json.dumps({type_: sorted(".".join(path) for path in each.forcing) for type_, each in found.items()}))


if __name__ == "__main__":
    main()
