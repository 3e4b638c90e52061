"""Stacks spoiled for one check: the table `spoils.yaml`, applied to what was recorded."""

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tests.infra.recorder import Recorded


def read_spoils() -> dict[str, Mapping[str, Any]]:
    """The spoil of each check."""
    text = (Path(__file__).parent / "spoils.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def can_spoil(spoil: Mapping[str, Any], resources: Iterable[Recorded]) -> bool:
    """Whether the stack has what the spoil changes."""
    if "add" in spoil:
        names = {each.name for each in resources}
        return spoil["add"]["bucket"].removesuffix("-id") in names
    return any(_is_meant(spoil, each) for each in resources)


def spoil_resources(spoil: Mapping[str, Any], resources: Iterable[Recorded]) -> list[Recorded]:
    """The resources of a stack with the spoil in them."""
    kept = [each for each in resources if not ("remove" in spoil and _is_meant(spoil, each))]
    if "add" in spoil:
        return [*kept, replace(kept[0], type=spoil["type"], name="spoiled", props=spoil["add"], custom=True)]
    return [_change(each, spoil["set"]) if "set" in spoil and _is_meant(spoil, each) else each for each in kept]


def _is_meant(spoil: Mapping[str, Any], each: Recorded) -> bool:
    return each.type == spoil["type"] and re.fullmatch(spoil.get("name", ".*"), each.name) is not None


def _change(each: Recorded, values: Mapping[str, Any]) -> Recorded:
    props = copy.deepcopy(dict(each.props))
    for path, value in values.items():
        *way, last = path.split(".")
        place: Any = props
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        is_text = isinstance(value, Mapping) and set(value) == {"json"}
        place[last] = json.dumps(value["json"]) if is_text else value
    return replace(each, props=props)
