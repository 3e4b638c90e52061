"""Values as the engine passes them: secrets wrapped, unknown ones as marks, assets by their hash."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import rpc

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key that marks a special value (Pulumi SDK, runtime/rpc.py `_special_sig_key`)."""
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark, the same everywhere
"""What stands at SIGNATURE of a secret (`_special_secret_sig`)."""
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""What stands at SIGNATURE of an output with its dependencies (`_special_output_value_sig`)."""
UNKNOWN: Final = rpc.UNKNOWN
"""The mark of a value that is not known yet."""
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        # Marks by type, of engines that send them (Pulumi, sdk/go/common/resource/plugin/rpc.go).
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


def is_unknown(value: object) -> bool:
    """Whether a value is the mark of an unknown one."""
    return isinstance(value, str) and value in _UNKNOWNS


def unwrap(value: Any) -> Any:
    """A value without the wraps of secrets and outputs, at any depth."""
    if isinstance(value, Mapping):
        mark = value.get(SIGNATURE)
        if mark in (SECRET, _OUTPUT):
            return unwrap(value["value"]) if "value" in value else UNKNOWN
        return {key: unwrap(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unwrap(each) for each in value]
    return value


def is_special(value: object) -> bool:
    """Whether a value is an asset, an archive or a reference, which is compared as a whole."""
    return isinstance(value, Mapping) and SIGNATURE in value


def from_struct(message: Any) -> dict[str, Any]:
    """The properties of a message."""
    return dict(MessageToDict(message))


def to_struct(values: Mapping[str, Any]) -> Any:
    """Properties as a message."""
    made = struct_pb2.Struct()
    made.update(values)
    return made
