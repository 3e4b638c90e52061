"""Writes the tables of what replaces a resource (`infra/preview/data/replacements_*.csv`), in Pulumi's names.

    PYTHONPATH=.:.envs/aws-plugin/generated .envs/aws-plugin/bin/python -m \\
      tools.write_replacements aws PROVIDER PACKAGES
    python -m tools.write_replacements alicloud SOURCE PACKAGES BRIDGE

AWS: PROVIDER is Terraform's provider, which is asked; it takes some ten minutes. Alibaba Cloud: SOURCE is a git
directory of the provider, BRIDGE the names that Pulumi's bridge gives (`bridge-metadata.json`). PACKAGES is the folder
of Python packages in which Pulumi's SDKs are. Both want `--version`, of the source.
"""

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra.preview.offline.replacements import DATA
from infra.preview.offline.sdk import Field, Sdk, Shape, find_sdk, nested_fields, nested_name
from tools.declared_replacements import read_declared

_Path = tuple[str, ...]
_REGION = "Region where this resource will be [managed]"
"""How the SDK describes a resource's own region, which replaces it (Terraform's guide "enhanced region support")."""


def name_properties(shape: Shape, path: _Path, renamed: Mapping[str, str]) -> str:
    """Pulumi's name of Terraform's property, such as `ebsBlockDevices[*].volumeSize`; empty where the SDK has none."""
    fields: Mapping[str, Field] = shape.inputs
    made: list[str] = []
    for step in path:
        name = renamed.get(step, "") if not made else ""
        name = name or next((each for each in fields if _plain(each) == _plain(step)), "")
        name = name or next((each for each in fields if _plain(each) in _plurals(_plain(step))), "")
        if name not in fields:
            return ""
        many = fields[name].type.startswith(("Sequence[", "Union[Sequence["))
        inner = nested_name(fields[name].type)
        fields = nested_fields(shape.folder, inner, of="_inputs.py") if inner else {}
        made.append(name + ("[*]" if many and inner else ""))
    return ".".join(made).removesuffix("[*]")


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _plurals(name: str) -> tuple[str, ...]:
    return (f"{name}s", f"{name}es", f"{name[:-1]}ies", name.removesuffix("s"), f"{name[:-3]}ices", f"{name}es")


def list_tokens(sdk: Sdk) -> Iterator[str]:
    """Every type of resource that an SDK has."""
    text = (sdk.folder / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'resource_modules="""(.*?)"""', text, re.S)
    for module in json.loads(found.group(1)) if found else ():
        yield from module["classes"]


def make_row(
    token: str,
    shape: Shape,
    forcing: Iterable[_Path],
    unsure: Iterable[_Path],
    known: Iterable[str],
    renamed: Mapping[str, str],
) -> dict[str, str]:
    """A row of the table; a property of the SDK that the source does not know is one of which nothing is known."""
    named = {name for path in forcing if (name := name_properties(shape, path, renamed))}
    doubted = {name for path in unsure if (name := name_properties(shape, path, renamed))}
    seen = {name_properties(shape, (each,), renamed) for each in known} | {"tags"}
    doubted |= {each for each in shape.inputs if each not in seen and each != "region"}
    if "region" in shape.inputs and "region" not in seen and _REGION in _docs(shape, token):
        named.add("region")
    return {"type": token, "forcing": " ".join(sorted(named)), "unsure": " ".join(sorted(doubted - named))}


def _docs(shape: Shape, token: str) -> str:
    name = token.rpartition(":")[2]
    path = next((each for each in shape.folder.glob("*.py") if _plain(each.stem) == _plain(name)), None)
    return path.read_text(encoding="utf-8") if path else ""


def rows_of_aws(binary: Path, sdk: Sdk) -> Iterator[dict[str, str]]:
    """Ask the provider about every type that both it and the SDK have."""
    # Only the environment of the tests' plugin has what these import.
    from tests.emulated_aws.names import snake  # noqa: PLC0415
    from tests.emulated_aws.refusals import Refused  # noqa: PLC0415
    from tests.emulated_aws.tokens import RENAMED, find_type  # noqa: PLC0415
    from tools.planned_replacements import Answers, Planner, ask  # noqa: PLC0415

    provider = Planner(str(binary))
    asked: dict[str, Answers] = {}
    try:
        for token in list_tokens(sdk):
            shape = sdk.resource(token)
            try:
                type_ = find_type(token, provider.resources)
            except Refused:
                continue
            if shape is None:
                continue
            answers = asked[type_] if type_ in asked else asked.setdefault(type_, ask(provider, type_))
            block = provider.resources[type_].block
            known = [*(each.name for each in block.attributes), *(each.type_name for each in block.block_types)]
            renamed = {snake(other): name for (of, name), other in RENAMED.items() if of == type_}
            yield make_row(token, shape, answers.forcing, answers.unsure, known, renamed)
            print(token, file=sys.stderr)
    finally:
        provider.close()


def rows_of_alicloud(source: Path, sdk: Sdk, bridge: Path) -> Iterator[dict[str, str]]:
    """Read the provider's source for every type that both it and the SDK have."""
    resources = json.loads(bridge.read_text(encoding="utf-8"))["auto-aliasing"]["resources"]
    types = {str(each["current"]): str(type_) for type_, each in resources.items()}
    declared = read_declared(source)
    for token in list_tokens(sdk):
        shape, found = sdk.resource(token), declared.get(types.get(token, ""))
        if shape is not None and found is not None:
            yield make_row(token, shape, found.forcing, found.unsure, found.known, {})


def write_table(package: str, rows: Iterable[dict[str, str]], source: str, version: str) -> None:
    """Write a package's table, in the order of the types."""
    date = datetime.now(UTC).date().isoformat()
    names = ("type", "forcing", "unsure", "source", "version", "date")
    written = sorted(rows, key=lambda each: each["type"])
    with (DATA / f"replacements_{package}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in written:
            writer.writerow({**row, "source": source, "version": version, "date": date})


def main() -> None:
    """Write one cloud's table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cloud", choices=("aws", "alicloud"))
    parser.add_argument("source", type=Path)
    parser.add_argument("packages", type=Path)
    parser.add_argument("bridge", type=Path, nargs="?")
    parser.add_argument("--version", required=True, help="the version or the commit of the source")
    given = parser.parse_args()
    sdk = find_sdk(given.cloud, (given.packages,))
    if sdk is None:
        parser.error(f"there is no SDK of {given.cloud} in {given.packages}")
    if given.cloud == "aws":
        write_table("aws", rows_of_aws(given.source, sdk), "terraform-provider-aws (planned)", given.version)
    else:
        rows = rows_of_alicloud(given.source, sdk, given.bridge)
        write_table("alicloud", rows, "terraform-provider-alicloud (declared)", given.version)


if __name__ == "__main__":
    main()
