"""What a container or a machine is started with: its definition, its environment, its first script."""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies import kinds
from sizing.graph.resources import UNKNOWN, Resource, is_unknown

_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""What is unpacked of a script at most: a cloud takes 16 or 32 KB of it, packed."""
SCRIPTS: Final = ("userData", "userDataBase64", "userdata", "commandContent")
"""Properties that hold a machine's first script, or one that it is given later."""
_PACKED: Final = re.compile(r"H4sI[A-Za-z0-9+/]{16,}={0,2}")
"""A file inside a script that cloud-init unpacks (`encoding: gz+b64`): how gzip begins in base64."""
_RUNS: Final = frozenset({kinds.AWS_ASSOCIATION, kinds.ALI_INVOCATION})
"""Runs of such a later script: their parameters have what the service is told, packed too."""


def read_containers(resource: Resource) -> list[Mapping[str, Any]] | None:
    """The containers of a task, a function, a pod or a container group; None while they are not known."""
    if resource.type == kinds.AWS_TASK:
        given = resource.inputs.get("containerDefinitions")
        if is_unknown(given):
            return None
        try:
            found = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            return []
    elif resource.type == kinds.ALI_CONTAINER_GROUP:
        found = resource.inputs.get("containers")
    elif resource.type == kinds.KUBERNETES_DEPLOYMENT:
        found = resource.inputs
        for step in ("spec", "template", "spec", "containers"):
            found = UNKNOWN if is_unknown(found) else found.get(step) if isinstance(found, Mapping) else None
    else:
        return []
    if is_unknown(found):
        return None
    return [each for each in found or () if isinstance(each, Mapping)]


def read_environment(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Every variable that a resource starts something with, in plain text; `("", UNKNOWN)` while it is not known."""
    containers = read_containers(resource)
    if containers is None:
        yield "", UNKNOWN
    for container in containers or ():
        for name in ("environment", "environmentVars", "env"):
            variables = container.get(name)
            if is_unknown(variables):
                yield "", UNKNOWN
            for each in () if is_unknown(variables) else variables or ():
                if isinstance(each, Mapping) and "value" in each:
                    yield str(each.get("name") or each.get("key")), each["value"]
    for variables in _mappings(resource):
        if is_unknown(variables):
            yield "", UNKNOWN
        elif isinstance(variables, Mapping):
            yield from ((str(name), value) for name, value in variables.items())


def _mappings(resource: Resource) -> Iterator[Any]:
    if resource.type == kinds.AWS_LAMBDA:
        environment = resource.inputs.get("environment")
        yield environment.get("variables") if isinstance(environment, Mapping) else environment
    if resource.type == kinds.KUBERNETES_CONFIG_MAP:
        yield resource.inputs.get("data")


def read_script(resource: Resource) -> Any:
    """The script of a machine or the parameters of a later one's run, unpacked; UNKNOWN while it is not known, and
    empty where there is none."""
    texts = [resource.inputs[name] for name in SCRIPTS if resource.inputs.get(name) is not None]
    if resource.type in _RUNS:
        given = resource.inputs.get("parameters")
        texts += [given] if is_unknown(given) else list((given or {}).values())
    if any(is_unknown(each) for each in texts):
        return UNKNOWN
    return "\n".join(_PACKED.sub(lambda hit: _unpack(hit[0]), _unpack(str(each))) for each in texts)


def _unpack(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, _LIMIT_BYTES)
        except zlib.error:
            return text
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return text
