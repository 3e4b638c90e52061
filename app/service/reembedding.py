"""Moving a store to another embedding while it is in use."""

from collections.abc import Callable
from dataclasses import replace

from app.domain.spending import SYSTEM, charging
from app.errors import EmbeddingMismatch, InvalidRequest, StoreBusy
from app.ports import Embedder, VectorSpaces

PATIENCE = 10
"""Cut-overs that are refused in a row, with nothing left to embed, before the reason is somebody else's lock."""
PAYER = replace(SYSTEM, operation="reembed")
"""A move is the operator's doing, so no workspace pays for it."""


class Reembedding:
    """Compares the store's embedding with the configured one, and makes the vectors of another."""

    def __init__(self, *, spaces: VectorSpaces, embedder: Embedder) -> None:
        self._spaces = spaces
        self._embedder = embedder

    def check(self) -> None:
        """Raise `EmbeddingMismatch` where the store's vectors cannot be compared with the embedder's."""
        stored, configured = self._spaces.identity(), self._embedder.identity
        if stored is not None and stored != configured:
            raise EmbeddingMismatch(
                f"the store was built with {stored}, but {configured} is configured: configure the former, "
                "or move the store to the latter with `reme reembed`"
            )

    def run(self, *, batch: int = 256, progress: Callable[[int, int], None]) -> int:
        """Embed every memory anew, `batch` at a time, then switch over in one step; returns how many that were.

        The store answers with its old vectors until then. A run that was stopped at any point goes on where it was.
        `progress` gets how many are done and how many there are so far. Raises `StoreBusy` where the switch is
        refused again and again, another `StoreError`, or a `ModelError`.
        """
        if batch < 1:
            raise InvalidRequest(f"a batch of {batch} texts is not allowed: give 1 or more")
        total = self._spaces.begin(self._embedder.identity)
        done = 0
        refusals = 0
        progress(done, total)
        while True:
            pending = self._spaces.pending(batch)
            if pending:
                with charging(PAYER):
                    vectors = self._embedder.embed([text for _, text in pending])
                self._spaces.supply([(number, vector) for (number, _), vector in zip(pending, vectors, strict=True)])
                done += len(pending)
                refusals = 0
                # Memories that are written meanwhile come on top of what there was.
                total = max(total, done)
                progress(done, total)
                continue
            try:
                self._spaces.cut_over()
            except StoreBusy:
                refusals += 1
                if refusals == PATIENCE:
                    raise
            else:
                return done
