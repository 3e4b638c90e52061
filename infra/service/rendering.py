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

TEMPLATES = Path(__file__).parent / "templates"
MOST_USER_DATA_BYTES = 16_384
"""What EC2 takes as user data, before base64 (EC2 User Guide, "Run commands at launch"); or packed."""


class UserDataTooLong(InfraError):
    """A machine cannot be told so much."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the user data have {size_bytes} bytes packed and a machine takes {MOST_USER_DATA_BYTES}: "
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


def write_cloud_config(files: Mapping[str, str], *, packages: Sequence[str], commands: Sequence[Sequence[str]]) -> str:
    """User data for cloud-init: packages, files of root's, then commands in order.

    A path below /usr/local gets mode 0755, any other 0644. No secret may be in a file: user data can be read by
    whoever may describe the machine.
    """
    document = {
        "package_update": True,
        "packages": list(packages),
        "write_files": [
            {
                "path": path,
                "permissions": "0755" if path.startswith("/usr/local/") else "0644",
                "owner": "root:root",
                "content": text,
            }
            for path, text in files.items()
        ],
        "runcmd": [list(command) for command in commands],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=1_000_000)


def encode_user_data(text: str) -> str:
    """User data as base64 of gzip, which cloud-init unpacks. The same text gives the same result.

    Raises `UserDataTooLong`.
    """
    packed = gzip.compress(text.encode(), mtime=0)
    if len(packed) > MOST_USER_DATA_BYTES:
        raise UserDataTooLong(len(packed))
    return base64.b64encode(packed).decode()


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
