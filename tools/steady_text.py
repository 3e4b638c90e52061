"""What a page shows of an output: JSON laid out to be read, and nothing that differs from run to run."""

import json
import re
from typing import Any

ID = "019abc7e51d87f3c9f0e6c1b2a3d4e5f"
SECRET = "rk_00000000000000000000000000000000"  # noqa: S105 - shown in the place of a real one
WIDTH = 110


def lay_out(value: Any, margin: str = "", taken: int = 0) -> str:
    """JSON with each object and list on one line where it fits, else with one entry a line.

    `taken` is how much of the first line stands before the value.
    """
    line = json.dumps(value, ensure_ascii=False)
    inner = f"{margin}  "
    if len(margin) + taken + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {lay_out(each, inner, len(key) + 4)}" for key, each in value.items()]
    else:
        entries = [lay_out(each, inner) for each in value]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}\n{inner}" + f",\n{inner}".join(entries) + f"\n{margin}{closing}"


def steady_value(name: str, value: Any) -> Any:
    """A JSON value under a name with durations and moments in milliseconds replaced, and fractions rounded."""
    if isinstance(value, dict):
        if name == "legs_ms":
            return dict.fromkeys(sorted(value), 0.4)
        return {inner: steady_value(inner, each) for inner, each in value.items()}
    if isinstance(value, list):
        return [steady_value("", each) for each in value]
    if name == "took_ms":
        return 1.2
    if name.endswith("_ms") and isinstance(value, int):
        return 1_795_348_341_390
    return round(value, 3) if isinstance(value, float) else value


def steady(text: str) -> str:
    """A text with ids, secrets, times and days replaced by one value each of the same length."""
    text = re.sub(r"rk_[0-9a-f]{32}", SECRET, text)
    text = re.sub(r"(?<![0-9a-f_/])[0-9a-f]{32}(?![0-9a-f])", ID, text)
    text = re.sub(r"(?<=/)[0-9a-f]{32}(?![0-9a-f])", ID, text)
    text = re.sub(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", "2026-11-22T11:52:21.390Z", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", "2026-11-22 11:52:21", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?!:)", "2026-11-22 11:52", text)
    return re.sub(r'(?<=")\d{4}-\d{2}-\d{2}(?=")', "2026-11-22", text)
