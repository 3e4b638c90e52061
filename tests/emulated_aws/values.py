"""Properties of Pulumi into values of Terraform, and back.

Pulumi's names are Terraform's in camel case, lists in the plural; blocks of at most one become objects.
"""

import json
from functools import cache
from typing import Any

import inflect
import msgpack

from tests.emulated_aws.names import camel
from tests.emulated_aws.refusals import Refused

UNKNOWN_PULUMI = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_ASSET = "4dabf18193072939515e22adb298388d"
"""The key that marks assets and other special values of Pulumi."""
UNKNOWN = msgpack.ExtType(0, b"\x00")
_LIST, _SET, _MAP, _SINGLE, _GROUP = 2, 3, 4, 1, 5
_INFLECT = inflect.engine()


@cache
def plural(word: str) -> str:
    """The plural as Pulumi's bridge makes it."""
    if word == "alias":
        return "aliases"
    if word.endswith("s") and not word.endswith("ss"):
        return word
    return str(_INFLECT.plural(word))


def empty(block: Any) -> dict[str, Any]:
    """The value of a block in which nothing is set."""
    value: dict[str, Any] = {attribute.name: None for attribute in block.attributes}
    for nested in block.block_types:
        value[nested.type_name] = [] if nested.nesting in (_LIST, _SET) else {} if nested.nesting == _MAP else None
    return value


def type_of(attribute: Any) -> Any:
    """An attribute's type: a name, or a list of a kind and what it holds."""
    return json.loads(attribute.type) if attribute.type else "string"


def by_hash(props: dict[str, Any]) -> dict[str, Any]:
    """Properties with files by their hash alone, which is all that the engine keeps of them."""
    return {
        name: {**value, "path": value.get("hash")} if isinstance(value, dict) and _ASSET in value else value
        for name, value in props.items()
    }


def is_many(type_: Any) -> bool:
    """Whether it is a list or a set."""
    return isinstance(type_, list) and type_[0] in ("list", "set")


def _names(block: Any) -> dict[str, tuple[str, Any]]:
    names: dict[str, tuple[str, Any]] = {}
    for attribute in block.attributes:
        names[camel(attribute.name)] = ("attribute", attribute)
        if is_many(type_of(attribute)):
            names[plural(camel(attribute.name))] = ("attribute", attribute)
    for nested in block.block_types:
        for name in (camel(nested.type_name), plural(camel(nested.type_name))):
            names[name] = ("block", nested)
    return names


def block_to_terraform(props: dict[str, Any], block: Any, path: str = "") -> dict[str, Any]:
    """A resource's or a block's inputs. Raises Refused for a property that the block does not have."""
    value, names = empty(block), _names(block)
    for key, given in props.items():
        if key.startswith("__") or given is None:
            continue
        if key not in names:
            raise Refused(f"unknown property {path}{key}")
        kind, found = names[key]
        if kind == "attribute":
            value[found.name] = _to_terraform(given, type_of(found))
        elif given == UNKNOWN_PULUMI:
            value[found.type_name] = UNKNOWN
        else:
            each = given if isinstance(given, list) else [given]
            made = [
                UNKNOWN if one == UNKNOWN_PULUMI else block_to_terraform(one, found.block, f"{path}{key}.")
                for one in each
            ]
            value[found.type_name] = made if found.nesting in (_LIST, _SET) else made[0]
    return value


def _to_terraform(value: Any, type_: Any) -> Any:
    if value is None:
        return None
    if value == UNKNOWN_PULUMI:
        return UNKNOWN
    if isinstance(type_, str):
        # A file as an asset: Terraform wants its path. In the engine's state an asset has only its hash.
        if isinstance(value, dict) and _ASSET in value:
            value = value.get("path", value.get("hash"))
        return _scalar(value, type_)
    kind, inner = type_[0], type_[1]
    if kind in ("list", "set"):
        return [_to_terraform(each, inner) for each in (value if isinstance(value, list) else [value])]
    if kind == "map":
        return {key: _to_terraform(each, inner) for key, each in value.items()}
    if kind == "object":
        known = {camel(name): name for name in inner} | {plural(camel(name)): name for name in inner}
        known |= {name: name for name in inner}
        made: dict[str, Any] = dict.fromkeys(inner)
        for key, each in value.items():
            made[known[key]] = _to_terraform(each, inner[known[key]])
        return made
    return value


def _scalar(value: Any, type_: str) -> Any:
    if type_ == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if type_ == "number":
        return int(value) if float(value).is_integer() else float(value)
    if type_ == "bool":
        return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
    return value


def block_to_pulumi(state: dict[str, Any], block: Any) -> dict[str, Any]:
    """A resource's or a block's outputs."""
    props: dict[str, Any] = {}
    for attribute in block.attributes:
        value, type_ = state.get(attribute.name), type_of(attribute)
        if value is not None:
            name = camel(attribute.name)
            props[plural(name) if is_many(type_) else name] = _to_pulumi(value, type_)
    for nested in block.block_types:
        value, name = state.get(nested.type_name), camel(nested.type_name)
        if not value:
            continue
        if isinstance(value, msgpack.ExtType):
            props[name] = UNKNOWN_PULUMI
        elif nested.nesting in (_LIST, _SET):
            made = [
                UNKNOWN_PULUMI if isinstance(each, msgpack.ExtType) else block_to_pulumi(each, nested.block)
                for each in value
            ]
            single = nested.max_items == 1
            props[name if single else plural(name)] = made[0] if single else made
        elif nested.nesting in (_SINGLE, _GROUP):
            props[name] = block_to_pulumi(value, nested.block)
    return props


def _to_pulumi(value: Any, type_: Any) -> Any:
    if isinstance(value, msgpack.ExtType):
        return UNKNOWN_PULUMI
    if value is None or isinstance(type_, str):
        return value
    kind, inner = type_[0], type_[1]
    if kind in ("list", "set"):
        return [_to_pulumi(each, inner) for each in value]
    if kind == "map":
        return {key: _to_pulumi(each, inner) for key, each in value.items()}
    if kind == "object":
        return {camel(key): _to_pulumi(each, inner[key]) for key, each in value.items() if each is not None}
    return value


def propose(prior: dict[str, Any] | None, wanted: dict[str, Any], block: Any) -> dict[str, Any]:
    """What Terraform's core proposes: the configuration, and from before what is computed and not configured."""
    if prior is None:
        return wanted
    value = dict(wanted)
    for attribute in block.attributes:
        if attribute.computed and wanted.get(attribute.name) is None:
            value[attribute.name] = prior.get(attribute.name)
    for nested in block.block_types:
        now, before, name = wanted.get(nested.type_name), prior.get(nested.type_name), nested.type_name
        if not isinstance(now, list) or not isinstance(before, list):
            continue
        if nested.nesting == _LIST:
            value[name] = [
                propose(before[index] if index < len(before) else None, each, nested.block)
                if isinstance(each, dict)
                else each
                for index, each in enumerate(now)
            ]
            attributes = nested.block.attributes
            if not now and attributes and all(attribute.computed for attribute in attributes):
                value[name] = before
        elif nested.nesting == _SET and len(now) == len(before) == 1 and isinstance(now[0], dict):
            value[name] = [propose(before[0], now[0], nested.block)]
    return value
