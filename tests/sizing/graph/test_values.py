"""Secrets and unknown values out of their wrappers."""

import json
from typing import Any

import pytest

from sizing.graph.resources import UNKNOWN, holds_unknown
from sizing.graph.values import unwrap

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"}
OUTPUT = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
MARK = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.mark.parametrize(
    ("value", "expected", "secret"),
    [
        ("plain", "plain", False),
        (MARK, UNKNOWN, False),
        ("3eeb2bf0-c639-47a8-9e75-3b44932eb421", UNKNOWN, False),
        ("[secret]", UNKNOWN, True),
        ({"a": [1, MARK]}, {"a": [1, UNKNOWN]}, False),
        ({"a": {**SECRET, "plaintext": json.dumps({"b": [MARK]})}}, {"a": {"b": [UNKNOWN]}}, True),
        ({**SECRET, "ciphertext": "v1:abc"}, UNKNOWN, True),
        ({**SECRET, "plaintext": "no json"}, UNKNOWN, True),
        ({**OUTPUT, "value": 3}, 3, False),
        ({**OUTPUT, "value": "x", "secret": True}, "x", True),
        (OUTPUT, UNKNOWN, False),
        ({SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "hash": "h"}, None, False),
        (None, None, False),
        (0, 0, False),
    ],
)
def test_values_come_out_of_their_wrappers(value: Any, expected: Any, secret: bool) -> None:
    found, is_secret = unwrap(value)
    assert is_secret is secret
    if expected is None and value is not None:
        assert found == value  # an asset stays as it is
    elif expected is UNKNOWN:
        assert found is UNKNOWN
    else:
        assert found == expected
    assert holds_unknown(found) is (expected is not None and holds_unknown(expected))
