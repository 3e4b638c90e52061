"""Secrets that stand where others can read them. No message ever has the value, or a part of it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from policies.containers import SCRIPTS, read_environment, read_script
from policies.rule import Finding, Rule, breach, undecided
from policies.settings import PolicySettings
from policies.tables import read_table
from sizing.graph.resources import Resource, is_unknown

_FAMILY = "credentials"
_SECRET_NAME = re.compile(
    r"(passw(or)?d|passwd|secret|token|credential|api_?key|access_?key|private_?key|_pwd)(?!s?_?(arn|id|name|file|path|"
    r"ttl|days|url|seconds|limit|max|budget|count|mode)\b)",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(r"(?<![\w:.-])([A-Za-z][\w.-]*)[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9+/_=-]{16,})(?=[\"'\s,;]|$)")
"""A name and its value; what follows a colon is no name, but a part of an address such as `arn:...:secret:NAME`."""
_REFERENCE = re.compile(r"^(arn:|acs:|https?://|\$|/|\{\{|resolve:|true$|false$|\d+$)", re.IGNORECASE)
_DENSE = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
ENTROPY_BITS: Final = 4.0
"""A random text of 24 letters of base64 has about 4.2 bits a letter; words and paths stay below 3.8."""


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["form"], re.compile(row["pattern"])) for row in read_table("secret_forms.csv"))


@cache
def _places() -> frozenset[tuple[str, str]]:
    """Properties that are made for a secret, by kind: the cloud does not show them."""
    return frozenset((row["kind"], row["property"]) for row in read_table("secret_places.csv"))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def _check_forms(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    script = read_script(resource)
    shown = {key: each for key, each in resource.inputs.items() if not key.startswith("__") and key not in SCRIPTS}
    texts = list(_leaves(shown, ""))
    if is_unknown(script):
        yield undecided(resource, "its first script")
    elif script:
        texts.append(("its first script", script))
    seen: set[tuple[str, str]] = set()
    for place, text in texts:
        top = re.split(r"[.\[]", place, maxsplit=1)[0]
        if (resource.type, top) in _places() or (resource.type, re.sub(r"\[\d+\]", "[]", place)) in _places():
            continue
        for form, pattern in _forms():
            if pattern.search(text) and (place, form) not in seen:
                seen.add((place, form))
                yield breach(resource, property=place, form=form)


PLAIN_SECRETS = Rule(
    id="no-plain-secrets",
    family=_FAMILY,
    title="No property holds a key, a password or a token in plain text",
    severity="critical",
    message="{where}: {property} holds what looks like {form}",
    remedy="Put the secret into Secrets Manager or KMS, hand over its address, and replace the secret: it was shown.",
    frameworks=("ECS.8",),
    check=_check_forms,
)


def _check_names(resource: Resource, _: PolicySettings) -> Iterable[Finding]:
    for name, value in read_environment(resource):
        if is_unknown(value) or not name:
            yield undecided(resource, f"environment {name}".strip())
        elif isinstance(value, str) and value and not _REFERENCE.match(value):
            if _SECRET_NAME.search(name):
                yield breach(resource, property=f"environment variable {name}", reason="is named like a secret")
            elif _DENSE.fullmatch(value) and entropy_bits(value) >= ENTROPY_BITS and _mixed(value):
                yield breach(resource, property=f"environment variable {name}", reason="looks random")
    script = read_script(resource)
    if not is_unknown(script):
        for name, value in _ASSIGNED.findall(script):
            if _SECRET_NAME.search(name) and not _REFERENCE.match(value) and entropy_bits(value) >= ENTROPY_BITS - 0.7:
                yield breach(resource, property=f"the value of {name} in its first script", reason="looks random")


def entropy_bits(text: str) -> float:
    """Shannon's entropy of a text, in bits a letter."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0


def _mixed(text: str) -> bool:
    return all(any(kind(letter) for letter in text) for kind in (str.isupper, str.islower, str.isdigit))


NAMED_SECRETS = Rule(
    id="secrets-by-reference",
    family=_FAMILY,
    title="Programs get secrets by reference, not in their environment",
    severity="high",
    message="{where}: {property} {reason}, and stands in plain text",
    remedy="Name the secret's address (`secrets` with `valueFrom` of a task), and replace the secret: it was shown.",
    frameworks=("ECS.8",),
    check=_check_names,
)
RULES = (PLAIN_SECRETS, NAMED_SECRETS)
