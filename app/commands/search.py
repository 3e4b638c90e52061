"""``reme search``: find memories."""

from pathlib import Path

import click

from app.commands.opening import local_admin, open_services, read_settings
from app.commands.options import json_option, kind_option, place_options, workspace_option
from app.commands.printing import print_json, print_table, show_moment
from app.domain.memory import MemoryKind
from app.domain.query import Hit, MemoryFilter, SearchMode, SearchQuery, SearchResult


@click.command()
@click.argument("query")
@click.option("--top-k", "-k", type=click.IntRange(1, 200), default=10, show_default=True, help="Most memories shown.")
@kind_option(multiple=True)
@click.option("--user", "users", multiple=True, help="Only memories about this person. Repeatable.")
@click.option("--tag", "tags", multiple=True, help="Only memories with this tag. Repeatable: all must be there.")
@click.option(
    "--mode",
    type=click.Choice(("hybrid", "vector", "keyword", "exact")),
    default="hybrid",
    show_default=True,
    help="By meaning and words, by one of them, or by meaning against every memory.",
)
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.0, help="Leave out what scores lower (0 to 1).")
@click.option("--explain", is_flag=True, help="Show how each score came about.")
@workspace_option
@json_option
@place_options
def search(
    query: str,
    top_k: int,
    kinds: tuple[str, ...],
    users: tuple[str, ...],
    tags: tuple[str, ...],
    mode: str,
    min_score: float,
    explain: bool,
    workspace: str,
    tenant: str,
    as_json: bool,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Find the memories that answer QUERY, best first.

    \b
      reme search "what does Ada drink?"
      reme search coffee --mode keyword --user ada --top-k 3
      reme search "deploy" --kind task --explain --json
    """
    settings = read_settings(working_dir, config_file)
    wanted = SearchQuery(
        text=query,
        top_k=top_k,
        mode=SearchMode(mode),
        filter=MemoryFilter(kinds=tuple(MemoryKind(kind) for kind in kinds), user_ids=users, tags=tags),
        min_score=min_score,
        half_life_days=settings.search.half_life_days,
        explain=explain,
    )
    with open_services(settings, make=False) as services:
        result = services.retrieval.search(local_admin(tenant), workspace, wanted)
    if as_json:
        from app.api.v1.answers import write_search

        print_json(write_search(result))
    elif result.hits:
        _print_hits(result, explain=explain)
    else:
        click.echo(f"reme: nothing found in workspace {workspace}", err=True)


def _print_hits(result: SearchResult, *, explain: bool) -> None:
    columns = ["Score", *(("Vector", "Keyword", "Decay") if explain else ()), "Memory", "Kind", "Changed", "Id"]
    rows = [
        [
            f"{hit.score:.3f}",
            *(_explain(hit) if explain else ()),
            _show_text(hit),
            hit.memory.kind.value,
            show_moment(hit.memory.updated_ms),
            hit.memory.id,
        ]
        for hit in result.hits
    ]
    print_table(columns, rows, right=range(4) if explain else (0,))
    legs = ", ".join(f"{leg} {duration_ms:.1f}" for leg, duration_ms in result.legs_ms.items())
    if result.degraded:
        click.echo(f"reme: the embedding failed ({result.degraded}), so words alone were searched for", err=True)
    if explain:
        click.echo(f"{result.mode.value}: {result.took_ms:.1f} ms ({legs})", err=True)


def _show_text(hit: Hit) -> str:
    memory = hit.memory
    return f"{memory.when_to_use}\n{memory.content}" if memory.when_to_use else memory.content


def _explain(hit: Hit) -> tuple[str, str, str]:
    """Similarity with its rank, the words' score with its rank, and the factor of age."""
    found = hit.explanation
    if found is None:
        return "", "", ""
    vector = "–" if found.similarity is None else f"{found.similarity:.3f}"
    keyword = "–" if found.keyword is None else f"{found.keyword:.2f}"
    return (
        vector if found.vector_rank is None else f"{vector} #{found.vector_rank}",
        keyword if found.keyword_rank is None else f"{keyword} #{found.keyword_rank}",
        f"{found.decay:.2f}",
    )
