"""Files for machines: templates of this package, cloud-init's form of them, and how they are handed over."""

import base64
import gzip
import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.errors import InfraError
from infra.service.configuration import ServiceSettings
from infra.service.machine import find_machine

TEMPLATES = Path(__file__).parent / "templates"


class UserDataTooLong(InfraError):
    """A machine cannot be told so much."""

    def __init__(self, size_bytes: int, most_bytes: int) -> None:
        super().__init__(
            f"the user data have {size_bytes} bytes packed and a machine takes {most_bytes}: "
            "shorten the agent's configuration, or put it into a bucket"
        )


def render(template: str, /, **values: object) -> str:
    """A template of ``infra/service/templates`` filled in. Raises jinja2's `UndefinedError` for a value left out."""
    return _templates().get_template(f"{template}.j2").render(**values)


def quote_variable(name: str, value: str) -> str:
    """A line of a file of environment variables, as systemd and a shell both read it."""
    for character in '\\"`$':
        value = value.replace(character, "\\" + character)
    return f'{name}="{value}"\n'


def write_environment(settings: ServiceSettings) -> str:
    """The settings as a file of environment variables, with what the preparation is told."""
    values = {**settings.environment, **settings.preparation}
    return "".join(quote_variable(name, value) for name, value in sorted(values.items()))


def write_json(value: object) -> str:
    """JSON whose form does not change by itself."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def write_cloud_config(
    files: Mapping[str, str], *, packages: Sequence[str], commands: Sequence[Sequence[str]], cloud: str = "aws"
) -> str:
    """User data for cloud-init: packages, files of root's, then commands in order.

    A path below /usr/local gets mode 0755, any other 0644. Files are packed one by one where the cloud's machines do
    not take the whole packed. No secret may be in a file: user data can be read by whoever may describe the machine.
    """
    takes_gzip = find_machine(cloud).takes_gzip
    document = {
        "package_update": True,
        "packages": list(packages),
        "write_files": [
            {
                "path": path,
                "permissions": "0755" if path.startswith("/usr/local/") else "0644",
                "owner": "root:root",
                **({"content": text} if takes_gzip else {"encoding": "gz+b64", "content": _pack(text)}),
            }
            for path, text in files.items()
        ],
        "runcmd": [list(command) for command in commands],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=1_000_000)


def encode_user_data(text: str, cloud: str = "aws") -> str:
    """User data as base64, of gzip where the cloud's machines take it. The same text gives the same result.

    Raises `UserDataTooLong`.
    """
    machine = find_machine(cloud)
    content = gzip.compress(text.encode(), mtime=0) if machine.takes_gzip else text.encode()
    if len(content) > machine.most_user_data_bytes:
        raise UserDataTooLong(len(content), machine.most_user_data_bytes)
    return base64.b64encode(content).decode()


def _pack(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@cache
def _templates() -> Environment:
    # What is written are scripts and units, in which HTML's escapes would be wrong.
    found = Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["shell"] = lambda value: shlex.quote(str(value))
    return found
