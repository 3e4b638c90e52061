"""``reme-size init``: a workload file to start from, every driver with its default and origin."""

from pathlib import Path

import click

from sizing.commands.workload_options import GROUPS
from sizing.drivers import drivers
from sizing.errors import InvalidWorkload
from sizing.estimate import Estimate
from sizing.models import TASKS
from sizing.regions import CLOUDS, jurisdictions
from sizing.workload import ARCHITECTURES, EMBEDDINGS, OVERRIDABLE, SCHEMA_VERSION


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default="workload.toml")
@click.option(
    "--users", default=500, show_default=True, type=click.IntRange(1, 100_000_000), help="Users to start with."
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(path: Path, users: int, force: bool) -> None:
    """Write a commented TOML workload to PATH (workload.toml).

    Everything but users is commented out and shows its default, so that you change only what you know.
    """
    from sizing.commands.files import write_whole

    if path.exists() and not force:
        raise InvalidWorkload("path", str(path), "a file that does not exist yet, or --force")
    write_whole(path, workload_template(users))
    click.echo(f"reme-size: wrote {path}; plan it with: reme-size --file {path}", err=True)


def workload_template(users: int) -> str:
    """Return a TOML document whose only live driver is users."""
    lines = [
        "# A workload for reme-size. A number may be exact (500), or a range:",
        "# { low = 300, expected = 500, high = 900 }. What stays commented out is assumed as shown.",
        f"schema_version = {SCHEMA_VERSION}",
        'name = "memory-service"',
    ]
    ordered = sorted(drivers().values(), key=lambda driver: list(GROUPS).index(driver.group))
    group = ""
    for driver in ordered:
        if driver.group != group:
            group = driver.group
            lines += ["", f"# --- {GROUPS[group]}"]
        lines.append(f"# {driver.help_en} ({driver.unit}); {driver.origin}")
        if driver.default is None:
            lines.append(f"{driver.name} = {users}")
        else:
            lines.append(f"# {driver.name} = {_toml(driver.default)}")
    lines += [
        "",
        "# --- wishes",
        "# memories = 500000            # in total, instead of memories_per_user",
        f"# clouds = {list(CLOUDS)}".replace("'", '"') + "   # the first is planned, the others are compared",
        "# availability_percent = 99.9",
        f'# residency = "eu"             # {", ".join(jurisdictions())}',
        "# gdpr = true",
        "# dimensions = 1024",
        f'# embedding = "remote"         # {", ".join(EMBEDDINGS)}',
        f'# architecture = "x86_64"      # {", ".join(ARCHITECTURES)}',
        "",
        "# [models]                     # default, " + ", ".join(TASKS) + ", embedding",
        '# default = "qwen3-30b-a3b-instruct-2507"',
        '# rerank = "gpt-4o-mini"',
        '# embedding = "text-embedding-v3"',
        "",
        f"# [overrides]                  # {', '.join(OVERRIDABLE)}",
        '# vector_store = "pgvector"',
        "",
        "# [[regions]]                  # repeat for several regions",
        '# cloud = "aws"',
        '# region = "eu-west-1"',
        "# nodes = 3",
    ]
    return "\n".join(lines) + "\n"


def _toml(estimate: Estimate) -> str:
    if estimate.is_exact:
        return f"{estimate.expected:g}"
    return f"{{ low = {estimate.low:g}, expected = {estimate.expected:g}, high = {estimate.high:g} }}"
