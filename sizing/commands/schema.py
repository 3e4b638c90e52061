"""``reme-size schema``: the published JSON Schemas."""

import json

import click


@click.command()
@click.argument("kind", type=click.Choice(["workload", "plan"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a workload document or of a plan.

    \b
      reme-size schema plan > plan.schema.json
    """
    from sizing.schemas import plan_schema, workload_schema

    document = workload_schema() if kind == "workload" else plan_schema()
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
