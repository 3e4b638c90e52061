"""How many secrets a region keeps: one for each door that the service goes through."""

from collections import Counter
from collections.abc import Mapping

from sizing.models import TASKS, Model, models
from sizing.plan import CacheSpec, ComputeSpec, DatabaseSpec, VectorStoreSpec

ADMINISTRATOR = 1
"""The first administrator's key of the service."""

AUTHORITY = 2
"""The certificate and the key of the authority that Qdrant's own nodes trust each other by."""


def count_secrets(
    compute: ComputeSpec,
    database: DatabaseSpec,
    vector_store: VectorStoreSpec,
    cache: CacheSpec,
    *,
    tasks: Mapping[str, str],
    embedding: Model,
    embedding_mode: str,
    monitoring: str,
) -> int:
    """Return the number of secrets: the administrator's, one for each provider of models, one for each server, and
    Datadog's where it watches.

    A provider's key is shared by models and embeddings on a single host; in a cluster they are apart, so that a limit
    on one does not stop the other. Qdrant on nodes of its own has an authority besides its key.
    """
    providers = Counter(models()[tasks[task]].provider for task in TASKS)
    usual = providers.most_common(1)[0][0]
    shared = compute.placement == "host" and embedding.provider == usual
    count = ADMINISTRATOR + len(providers) + (embedding_mode == "remote" and not shared)
    count += (
        (database.engine == "postgresql") + (cache.nodes > 0) + (vector_store.engine in ("qdrant", "elasticsearch"))
    ) + (monitoring == "datadog")
    return count + (AUTHORITY if vector_store.engine == "qdrant" and vector_store.placement == "own-nodes" else 0)
