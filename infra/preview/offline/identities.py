"""Made-up answers of a cloud: ids, ARNs, addresses. The same resource gets the same ones in every run.

Nothing here is a fact of a cloud; what is well known of a type (how its id begins, what its ARN looks like) stands in
`infra/preview/data/identities.csv`.
"""

import base64
import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from infra.preview.offline.replacements import DATA
from infra.preview.offline.sdk import Field, Shape, nested_fields, nested_name

ACCOUNTS = {"aws": "123456789012", "alicloud": "1234567890123456"}
"""Accounts as the clouds' documentation writes them in examples."""
_DEPTH = 3
_WORDS: tuple[tuple[str, str], ...] = (
    # A pattern of a property's name, and what it looks like; the first that fits.
    (r"arn$", "{arn}"),
    (r"arns?suffix$", "{kind}/{name}/{hex16}"),
    (r"^(owner|account|registry)(id|account)?$|accountid$|ownerid$", "{account}"),
    (r"availabilityzone$|zonename$|^az$", "{region}a"),
    (r"availabilityzones$", "{region}a"),
    (r"^region$|regionid$|bucketregion$", "{region}"),
    (r"port$", "443"),
    (r"policy$|document$|json$", "{{}}"),
    (r"cidr", "10.0.0.0/16"),
    (r"ipv6", "2001:db8::{small}"),
    (r"(private|^)ip(address)?$|ipaddress$", "10.0.0.{small}"),
    (r"(public|nat|elastic)ip", "198.51.100.{small}"),
    (r"date|time|created|notafter|notbefore", "2000-01-01T00:00:00Z"),
    (r"ur[il]|endpoint|webhook", "https://{name}.example.invalid"),
    (r"dns|domain|host|address|fqdn|website", "{name}.example.invalid"),
    (r"hostedzoneid$|^zoneid$", "Z{HEX16}"),
    (r"status$|state$", "active"),
    (r"^data$|certificate$|base64", "{base64}"),
)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes up values for one resource or look-up, of a token, a seed (its URN), a name, a region."""

    token: str
    seed: str
    name: str
    region: str

    @property
    def package(self) -> str:
        """The provider's name."""
        return self.token.partition(":")[0]

    def id(self, inputs: Mapping[str, Any]) -> str:
        """The resource's id."""
        row = _known().get(self.token)
        if row is not None:
            return self._fill(row["id"], inputs)
        return f"{self.name}-{self._hex(17)}" if self.package in ACCOUNTS else f"{self.name}-{self._hex(7)}"

    def arn(self, inputs: Mapping[str, Any]) -> str:
        """The resource's ARN."""
        row = _known().get(self.token)
        pattern = row["arn"] if row is not None and row["arn"] else ""
        return self._fill(pattern or "arn:{partition}:{service}:{region}:{account}:{kind}/{id}", inputs)

    def outputs(self, shape: Shape, inputs: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
        """A value for each property that the provider always answers and that is not known.

        A row of the table names a key of a map as `uris.GRAPHQL`.
        """
        row = _known().get(self.token)
        fixed = dict(part.split("=", 1) for part in row["outputs"].split(" ") if part) if row is not None else {}
        made: dict[str, Any] = {}
        for name, field in shape.outputs.items():
            if name in known or not (field.required or name in fixed):
                continue
            parts = {key.partition(".")[2]: text for key, text in fixed.items() if key.startswith(f"{name}.")}
            if parts:
                made[name] = {key: self._fill(text, inputs) for key, text in parts.items()}
            elif name in fixed:
                text = self._fill(fixed[name], inputs)
                made[name] = (
                    [text]
                    if field.type.startswith("Sequence[str")
                    else float(text)
                    if field.type in ("int", "float")
                    else text
                )
            elif name in shape.inputs and field.type.startswith(("Sequence[", "Mapping[")):
                # What a program may give and did not: nobody knows how many there will be.
                made[name] = [] if field.type.startswith("Sequence[") else {}
            elif name == "domainValidationOptions":
                # One for each name of the certificate: programs look for theirs.
                domains = dict.fromkeys((inputs.get("domainName"), *(inputs.get("subjectAlternativeNames") or ())))
                (option,) = self._make(name, field, shape, inputs, 0)
                made[name] = [{**option, "domainName": each} for each in domains if each]
            else:
                made[name] = self._make(name, field, shape, inputs, 0)
        return made

    def _make(self, name: str, field: Field, shape: Shape, inputs: Mapping[str, Any], depth: int) -> Any:
        type_ = field.type
        if type_.startswith("Mapping["):
            return {}
        nested = nested_name(type_)
        if type_.startswith("Sequence["):
            if not nested:
                return [self._text(name.removesuffix("s"), inputs)] if "str" in type_ else []
            return [self._nest(nested, shape, inputs, depth)]
        if nested:
            return self._nest(nested, shape, inputs, depth)
        if type_ == "bool":
            return False
        if type_ in ("int", "float"):
            return 443 if name.lower().endswith("port") else 1 if "version" in name.lower() else 0
        return self._text(name, inputs)

    def _nest(self, nested: str, shape: Shape, inputs: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth >= _DEPTH:
            return {}
        fields = nested_fields(shape.folder, nested)
        return {name: self._make(name, field, shape, inputs, depth + 1) for name, field in fields.items()}

    def _text(self, name: str, inputs: Mapping[str, Any]) -> str:
        for pattern, text in _WORDS:
            if re.search(pattern, name, re.IGNORECASE):
                return self._fill(text, inputs)
        if name == "name" or name.lower().endswith("name"):
            return self.name
        return f"{name}-{self._hex(8)}"

    def _fill(self, pattern: str, inputs: Mapping[str, Any]) -> str:
        parts = self.token.split(":")
        module, _, kind = (parts[1] if len(parts) == 3 else "").partition("/")
        values: dict[str, Any] = {
            "account": ACCOUNTS.get(self.package, ACCOUNTS["aws"]),
            "partition": partition_of(self.region),
            "suffix": "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com",
            "region": self.region,
            "service": module,
            "kind": kind or module,
            "name": self.name.lower(),
            "hex8": self._hex(8),
            "hex16": self._hex(16),
            "hex17": self._hex(17),
            "HEX16": self._hex(16).upper(),
            "uuid": "-".join((self._hex(8), self._hex(4), self._hex(4), self._hex(4), self._hex(12))),
            "small": str(int(self._hex(2), 16) % 250 + 4),
            "base64": base64.b64encode(self.name.encode()).decode(),
        }
        if "{arn}" in pattern:
            values["arn"] = self.arn(inputs)
        if "{id}" in pattern:
            values["id"] = self.id(inputs)
        given = {f"in_{name}": value for name, value in inputs.items() if isinstance(value, str)}
        return re.sub(
            r"\{(\w+)\}", lambda found: str(values.get(found[1], given.get(found[1], self.name))), pattern
        ).replace("{{}}", "{}")

    def _hex(self, digits: int) -> str:
        return hashlib.sha256(self.seed.encode()).hexdigest()[:digits]


def partition_of(region: str) -> str:
    """AWS's partition of a region (AWS general reference, "ARNs")."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


@cache
def _known() -> Mapping[str, Mapping[str, str]]:
    with (DATA / "identities.csv").open(encoding="utf-8", newline="") as file:
        return {row["type"]: row for row in csv.DictReader(file)}
