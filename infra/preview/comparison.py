"""Two files that were made elsewhere: previews or exported states of one stack."""

from pathlib import Path

from infra.preview.assembly import Sides
from sizing.graph.difference import find_changes, preview_changes
from sizing.graph.documents import open_document
from sizing.graph.errors import InvalidGraph
from sizing.graph.preview_file import Preview, complete_preview
from sizing.graph.resources import ResourceGraph

_REMEDY = "Write it with `pulumi preview --json --show-sames`, or give the exported state as the base"


def compare_files(base: Path | None, head: Path, name: str = "", regions: dict[str, str] | None = None) -> Sides:
    """The sides of one or two files.

    A preview alone has both sides, if it was written with `--show-sames`; with a state as its base it may leave out
    what stays. Of two previews what each would come to is compared, of two states what each has. Raises InvalidGraph.
    """
    after = open_document(head, regions)
    before = open_document(base, regions) if base is not None else None
    if before is None:
        preview = _whole(after, head)
        return _sides(name, preview.before, preview.after, preview)
    if isinstance(before, ResourceGraph) and isinstance(after, Preview):
        preview = after if after.complete else complete_preview(after, before)
        return _sides(name, preview.before, preview.after, preview)
    old = _whole(before, base).after if isinstance(before, Preview) else before
    new = _whole(after, head).after if isinstance(after, Preview) else after
    return _sides(name, old, new, None)


def _whole(document: Preview | ResourceGraph, file: Path | None) -> Preview:
    where = file.name if file else "the file"
    if not isinstance(document, Preview):
        raise InvalidGraph(where, "it is a state, and there is nothing to compare it with", "Give two files")
    if not document.complete:
        raise InvalidGraph(where, f"it leaves out {document.missing} resources that stay as they are", _REMEDY)
    return document


def _sides(name: str, before: ResourceGraph, after: ResourceGraph, preview: Preview | None) -> Sides:
    stack = name or after.stack or before.stack or "stack"
    status = "new" if not before.custom and after.custom else "removed" if before.custom and not after.custom else ""
    return Sides(
        name=stack,
        status=status or "compared",  # type: ignore[arg-type]
        how="files",
        before=before,
        after=after,
        changes=preview_changes(preview) if preview else find_changes(before, after),
        unsure={},
    )
