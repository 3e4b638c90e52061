"""What the stand-in says: what a test told it to, or the smallest value that a schema allows."""

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A question as the server got it. `schema` is that of the response format, or of the instructions."""

    model: str
    system: str
    user: str
    schema: dict[str, Any]
    body: dict[str, Any]


Said: TypeAlias = str | dict[str, Any] | list[Any]
Script: TypeAlias = Said | Callable[[ChatRequest], Said | None]
"""A text, a value that is sent as JSON, or a function of the request; a function that returns None passes it on."""


@dataclass
class Lines:
    """Scripts for the requests whose model is `model` and whose words hold `containing`, in turn; the last stays."""

    model: str
    containing: str
    scripts: deque[Script] = field(default_factory=deque)

    def say(self, request: ChatRequest) -> Said | None:
        if self.model not in ("", request.model) or self.containing not in f"{request.system}\n{request.user}":
            return None
        script = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
        return script(request) if callable(script) else script


def read_request(body: dict[str, Any]) -> ChatRequest:
    """The question of a request's body."""
    words = {"system": "", "user": ""}
    for message in body["messages"]:
        words[message["role"]] = f"{words.get(message['role'], '')}\n{message['content']}".strip()
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    if schema is None:
        written = re.search(r"JSON schema:\s*(\{.*\})", words["system"], re.DOTALL)
        schema = json.loads(written[1]) if written else {}
    return ChatRequest(model=body["model"], system=words["system"], user=words["user"], schema=schema, body=body)


def smallest_value(schema: dict[str, Any]) -> Any:
    """A value that a plain schema allows: the least of everything."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: smallest_value(properties.get(name, {})) for name in schema.get("required", [])}
        case "array":
            return [smallest_value(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        case "string":
            return "x" * schema.get("minLength", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
    return None
