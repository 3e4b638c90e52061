"""``reme-preview schema``: what a result and the guardrails may hold."""

import json

import click

from infra.preview.guardrails import Guardrails
from infra.preview.result import result_schema


@click.command()
@click.argument("name", type=click.Choice(["result", "guardrails"]))
def schema(name: str) -> None:
    """Print the JSON Schema of a result (`--json` of `run`) or of reme-guardrails.yaml."""
    found = result_schema() if name == "result" else guardrails_schema()
    click.echo(json.dumps(found, ensure_ascii=False, indent=2))


def guardrails_schema() -> dict[str, object]:
    """The JSON Schema of a guardrails file."""
    found = Guardrails.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "reme-preview guardrails"}
