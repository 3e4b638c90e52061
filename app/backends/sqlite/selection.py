"""A memory filter as SQL over `chunks_`, for listings."""

from app.backends.sqlite.facets import TAG, is_met_by, select_condition
from app.domain.query import MemoryFilter, Scalar

_LISTED = "chunks_default.number {} (SELECT f.number FROM chunks_facets_default f WHERE f.workspace = ? AND {})"


def select_filter(memory_filter: MemoryFilter, workspace: int) -> tuple[str, list[Scalar]]:
    """The conditions to add to a WHERE clause, each led by AND, and their values."""
    parts: list[str] = []
    values: list[Scalar] = []

    def require(sql: str, *bound: Scalar) -> None:
        parts.append(f" AND {sql}")
        values.extend(bound)

    for column, wanted in (
        ("kind", [kind.value for kind in memory_filter.kinds]),
        ("layer", [layer.value for layer in memory_filter.layers]),
        ("author", list(memory_filter.authors)),
        ("user_id", list(memory_filter.user_ids)),
    ):
        if wanted:
            require(f"{column} IN ({','.join('?' * len(wanted))})", *wanted)
    if memory_filter.created_from_ms is not None:
        require("created_at >= ?", memory_filter.created_from_ms)
    if memory_filter.created_to_ms is not None:
        require("created_at < ?", memory_filter.created_to_ms)
    for tag in memory_filter.tags:
        require(_LISTED.format("IN", "f.name = ? AND f.value = ?"), workspace, TAG, tag)
    for condition in memory_filter.conditions:
        where, bound = select_condition(condition)
        require(_LISTED.format("IN" if is_met_by(condition) else "NOT IN", where), workspace, *bound)
    return "".join(parts), values
