"""Values as the engine writes them: secrets in their wrapper, and marks for what is not known yet."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sizing.graph.change import HIDDEN
from sizing.graph.resources import UNKNOWN

_MARKS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What stands for an unknown bool, number, string, array, asset, archive and object: pulumi v3.200,
sdk/go/common/resource/plugin/rpc.go. The files have the third for all of them (pkg/resource/stack/deployment.go)."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the signature of secrets, not one
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""Keys of the wrappers of secrets and of outputs: pulumi v3.200, sdk/go/common/resource/sig."""


def unwrap(value: Any) -> tuple[Any, bool]:
    """A value without its wrappers, and whether any part of it is secret.

    A secret whose plain text the file has is taken out of its wrapper; one that is encrypted or hidden becomes UNKNOWN.
    """
    if isinstance(value, str):
        return (UNKNOWN, value == HIDDEN) if value in _MARKS or value == HIDDEN else (value, False)
    if isinstance(value, list):
        found = [unwrap(each) for each in value]
        return [each for each, _ in found], any(secret for _, secret in found)
    if not isinstance(value, Mapping):
        return value, False
    signature = value.get(_SIGNATURE)
    if signature == _SECRET:
        return _reveal(value), True
    if signature == _OUTPUT:
        inner, secret = unwrap(value["value"]) if "value" in value else (UNKNOWN, False)
        return inner, secret or value.get("secret") is True
    pairs = {str(key): unwrap(each) for key, each in value.items()}
    return {key: each for key, (each, _) in pairs.items()}, any(secret for _, secret in pairs.values())


def _reveal(wrapper: Mapping[str, Any]) -> Any:
    text = wrapper.get("plaintext")
    if not isinstance(text, str):
        return UNKNOWN
    try:
        return unwrap(json.loads(text))[0]
    except ValueError:
        return UNKNOWN
