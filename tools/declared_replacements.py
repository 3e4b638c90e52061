"""What replaces a resource of Alibaba Cloud, as the Terraform provider's source declares it (`ForceNew: true`).

The schemas are Go literals. A property whose schema is made by a function that is not read here counts as unsure.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Path_ = tuple[str, ...]


@dataclass
class Declared:
    """Terraform's names: paths that force a replacement, paths that nothing is known of, all properties."""

    forcing: set[Path_] = field(default_factory=set)
    unsure: set[Path_] = field(default_factory=set)
    known: list[str] = field(default_factory=list)


def read_declared(source: Path) -> Mapping[str, Declared]:
    """Every resource of the provider whose schema stands in its function, by Terraform's type."""
    texts = _read_sources(source)
    makers = dict(re.findall(r'"(alicloud_\w+)":\s*(resource\w+)\(\)', texts["alicloud/provider.go"]))
    functions: dict[str, str] = {}
    for path, text in texts.items():
        if "/resource_alicloud_" in path:
            for found in re.finditer(r"\nfunc (resource\w+)\(\) \*schema\.Resource \{", text):
                functions[found.group(1)] = text[found.end() - 1 :]
    made: dict[str, Declared] = {}
    for type_, function in makers.items():
        body = _braced(functions.get(function, ""))
        start = re.search(r"\bSchema:\s*map\[string\]\*schema\.Schema\{", body)
        if start is None:
            continue
        declared = Declared()
        _read_schema(_braced(body[start.end() - 1 :]), (), declared, types=_calls_customize(body))
        made[type_] = declared
    return made


def _calls_customize(body: str) -> frozenset[str]:
    """Properties that a function of the schema forces under a condition."""
    return frozenset(re.findall(r'ForceNew(?:If|IfChange)?\(\s*"(\w+)"', body))


def _read_schema(text: str, path: Path_, declared: Declared, *, types: frozenset[str] = frozenset()) -> None:
    for name, value in _entries(text):
        here = (*path, name)
        if not path:
            declared.known.append(name)
        if not value.startswith("{"):
            if not value.startswith("tags") or "ForceNew" in value:
                declared.unsure.add(here)
            continue
        own = _own_text(value)
        if re.search(r"\bForceNew:\s*true", own):
            declared.forcing.add(here)
        elif re.search(r"\bForceNew:", own) or name in types:
            declared.unsure.add(here)
        inner = re.search(r"\bSchema:\s*map\[string\]\*schema\.Schema\{", value)
        if inner is not None:
            _read_schema(_braced(value[inner.end() - 1 :]), here, declared)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The names of a literal's entries and what follows each: a literal of its own, or an expression."""
    at = 1
    entry = re.compile(r'\s*(?://[^\n]*\n\s*)*"(\w+)":\s*')
    while (found := entry.match(text, at)) is not None:
        rest = text[found.end() :]
        prefix = re.match(r"(?:&?schema\.Schema)?\{", rest)
        if prefix is not None:
            value = _braced(rest[prefix.end() - 1 :])
            end = found.end() + prefix.end() - 1 + len(value)
        else:
            value = re.match(r"[^\n]*?(?=,\s*(?:\n|$))|[^\n]*", rest).group()  # type: ignore[union-attr]
            end = found.end() + len(value)
        yield found.group(1), value.strip()
        end_of = re.compile(r",?[^\S\n]*(?://[^\n]*)?\n?").match(text, end)
        at = end_of.end() if end_of else end


def _own_text(value: str) -> str:
    """A literal without the literals in it."""
    own, depth = [], 0
    for character in value:
        depth += (character == "{") - (character == "}")
        if depth <= 1:
            own.append(character)
    return "".join(own)


_TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|//[^\n]*|/\*.*?\*/|\'(?:\\.|[^\'\\])\'|[{}]', re.S)


def _braced(text: str) -> str:
    """The text up to the brace that closes its first one."""
    depth = 0
    for found in _TOKENS.finditer(text):
        depth += (found.group() == "{") - (found.group() == "}")
        if depth == 0 and found.group() == "}":
            return text[: found.end()]
    return ""


def _read_sources(source: Path) -> Mapping[str, str]:
    """The provider's Go files of the newest commit of a git directory."""
    listed = _git(source, "ls-tree", "--name-only", "HEAD", "alicloud/").decode().split()
    names = [each for each in listed if each.endswith(".go") and not each.endswith("_test.go")]
    names = [each for each in names if "/resource_alicloud_" in each or each == "alicloud/provider.go"]
    asked = "".join(f"HEAD:{each}\n" for each in names).encode()
    out, at, texts = _git(source, "cat-file", "--batch", given=asked), 0, {}
    for name in names:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        texts[name] = out[end + 1 : end + 1 + size].decode("utf-8", "replace")
        at = end + size + 2
    return texts


def _git(source: Path, *arguments: str, given: bytes = b"") -> bytes:
    command = ["git", "--git-dir", str(source), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout
