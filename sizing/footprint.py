"""From drivers to physical quantities: requests, bytes, tokens, RAM, I/O.

Every formula names its source and how far it can be off. Where nothing could be measured the
docstring says "assumed", so that a reader knows which numbers to replace with their own first.
"""

from dataclasses import dataclass

from sizing.measures import BYTES_PER_GB, BYTES_PER_KB, BYTES_PER_MB, DAYS_PER_MONTH, SECONDS_PER_MONTH
from sizing.stores import local_index_mb
from sizing.workload import Point
from sizing.yardsticks import measured

DOCUMENT_DIMENSIONS = 1024
"""§2.1's 10-50 KB a memory includes a vector of 1024 float32 components."""

SAFE_SHARE = 0.5
"""Ours: of the measured requests a vCPU, half is planned with. A vCPU of a cloud is often half a core, neighbours
are noisy, and calls to remote models cost time that no benchmark contains."""

LOG_SAMPLE_SHARE = 0.1
"""§7.3: application logs are sampled at 10 %; access and audit lines never are."""
ACCESS_LOG_KB = 0.5
AUDIT_LOG_KB = 0.5
"""Assumed: one JSON line of some 500 bytes in each of the two logs per request."""

TOKEN_BYTES = 4.0
"""English averages four characters a token; Chinese about 3 bytes a character and 1-1.5 tokens."""
VECTOR_JSON_BYTES = 21.0
"""A float32 component written as JSON text, as an embedding API answers it; measured on random unit
vectors: 21 bytes with all its digits, 11 where a provider rounds to eight decimals."""

RESULTS_PER_RETRIEVE = 10
"""Memories read for one retrieval (top_k of the API's default)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """What one region must hold and carry in a month. Sizes in GB (10^9 bytes), rates per second."""

    users: float
    active_users: float
    memories: float
    dimensions: int
    retrieves: float
    writes: float
    compressions: float
    requests: float
    rps_average: float
    rps_peak: float
    concurrency_peak: float
    text_gb: float
    vectors_gb: float
    database_gb: float
    input_tokens: dict[str, float]
    output_tokens: dict[str, float]
    cached_share: float
    calls: dict[str, float]
    embedding_tokens: float
    embedding_calls: float
    egress_gb: float
    ingress_gb: float
    model_traffic_gb: float
    model_outbound_gb: float
    replicated_gb: float
    log_gb: float
    access_log_gb: float
    audit_log_gb: float
    objects_hot_gb: float
    objects_archive_gb: float
    object_inflow_gb: float
    object_kb: float
    objects_kept_days: float
    object_puts: float
    object_gets: float
    profiles_gb: float
    daily_change_share: float
    backup_retention_days: float
    log_retention_days: float
    iops_peak: float

    @property
    def objects_gb(self) -> float:
        """Everything in the object store except backups."""
        return self.objects_hot_gb + self.objects_archive_gb + self.profiles_gb

    @property
    def llm_tokens(self) -> float:
        """Tokens in and out of language models in a month."""
        return sum(self.input_tokens.values()) + sum(self.output_tokens.values())


def stored_bytes(memory_bytes: float, dimensions: int) -> float:
    """Bytes of one memory with its vector, as §2.1 counts them.

    §2.1's 10-50 KB at 1024 dimensions, corrected by 4 bytes a component for other dimensions. What each store
    makes of that is in ``sizing.stores``. Error: the document's own range is a factor of 5; measure your own texts
    to narrow it (with 40 to 200 characters the embedded store takes 5 KB, PostgreSQL 10 KB).
    """
    return max(memory_bytes + 4.0 * (dimensions - DOCUMENT_DIMENSIONS), 4.0 * dimensions + 200.0)


def vector_bytes(dimensions: int) -> float:
    """Bytes of one float32 vector: 4 a component (§3.3: 1024 dimensions are 4 KB). Exact."""
    return 4.0 * dimensions


def service_ram_mb(
    *, workers: int, memories: float, dimensions: int, index_in_memory: bool, index_local: bool, model_ram_gb: float
) -> float:
    """RAM of one node of the service, in MB, by §1.1's breakdown.

    250 MB (200-300) of runtime a worker (measured: ``ram_fixed`` of the service, embedder and HTTP included);
    an embedding cache of 100-1000 MB (a tenth of the vectors); the index: 500-2000 MB in memory mode,
    ``local_index_mb`` in each worker for the local store, none where it is remote; 75 MB (50-100) for 64
    connections; 2-4 GB for a local model; 500 MB for the system (ours). Error: the document's ranges are +-50 %.
    """
    runtime = 250.0 * workers
    cache = min(1000.0, max(100.0, memories * vector_bytes(dimensions) * 0.1 / BYTES_PER_MB))
    index = 0.0
    if index_in_memory:
        index = max(500.0, memories * vector_bytes(dimensions) * 1.1 / BYTES_PER_MB)
    elif index_local:
        index = workers * local_index_mb(memories, dimensions)
    return runtime + cache + index + 75.0 + model_ram_gb * 1000.0 + 500.0


def retrieval_vcpu_s(engine: str) -> float:
    """vCPU seconds of the service for one retrieval, without margin.

    Measured over HTTP with the embedded store, two workers on two cores, 100,000 memories in one workspace, an
    embedding for every question: 100 clients. Many small workspaces take 40 % less. Beside that, what the client
    of another store takes in the service's process. Assumed: Qdrant's takes what Elasticsearch's does, since no
    server could be measured. What a server itself takes is not in here. Error: that of the rows in
    ``data/yardsticks.csv``.
    """
    store = _CLIENTS.get(engine)
    beside_ms = measured(store, "retrieval_cpu_extra") if store else 0.0
    return 1.0 / measured("service", "retrievals_per_vcpu") + beside_ms / 1000.0


_CLIENTS = {"pgvector": "postgres", "chromadb": "chroma", "elasticsearch": "elasticsearch", "qdrant": "elasticsearch"}


def peak_vcpu(load: Footprint, engine: str) -> float:
    """vCPUs that are busy at the peak with ``engine`` as vector store: retrievals, summaries, compressions, over
    SAFE_SHARE.

    A summary is measured as a retrieval is, with four clients, by rules and without a model. Assumed: a compression
    takes as much as a summary. Error: factor 2.
    """
    if not load.rps_average:
        return 0.0
    summary_vcpu_s = 1.0 / measured("service", "summaries_per_vcpu")
    monthly_vcpu_s = load.retrieves * retrieval_vcpu_s(engine) + (load.writes + load.compressions) * summary_vcpu_s
    return monthly_vcpu_s / SECONDS_PER_MONTH * load.rps_peak / load.rps_average / SAFE_SHARE


def peak_concurrency(rps_peak: float, request_seconds: float) -> float:
    """Requests in flight at the peak: Little's law, rate x time held. Exact for the given inputs."""
    return rps_peak * request_seconds


def peak_iops(rps_peak: float) -> float:
    """Disk operations a second at the peak: 20 reads a retrieval, 6 writes a memory, all counted as 20.

    Assumed: a retrieval fetches 100-200 rows to rescore (our store's design) and memory answers nine
    in ten of them. Error: factor 3.
    """
    return rps_peak * 20.0


def monthly_egress_gb(requests: float, response_kb: float) -> float:
    """GB sent to clients in a month: responses x size. TLS and headers add some 2 %."""
    return requests * response_kb * BYTES_PER_KB / BYTES_PER_GB


def log_volume_gb(requests: float, kb_per_request: float, share: float = 1.0) -> float:
    """GB of log lines written in a month: requests x KB x the share that sampling keeps."""
    return requests * kb_per_request * share * BYTES_PER_KB / BYTES_PER_GB


def object_stock_gb(inflow_gb_month: float, from_day: float, to_day: float) -> float:
    """GB that lie between two ages when the inflow is steady: inflow x days / days of a month. Exact."""
    return inflow_gb_month * max(0.0, to_day - from_day) / DAYS_PER_MONTH


def billed_stock_gb(
    inflow_gb_month: float,
    from_day: float,
    to_day: float,
    *,
    object_kb: float,
    minimum_days: float,
    minimum_kb: float,
) -> float:
    """GB-months that a colder class bills for objects between two ages: each for ``minimum_days`` and as
    ``minimum_kb`` at least. Exact for objects of one size.
    """
    if to_day <= from_day:
        return 0.0
    stock = object_stock_gb(inflow_gb_month, from_day, max(to_day, from_day + minimum_days))
    return stock * max(1.0, minimum_kb / object_kb)


def backup_stock_gb(database_gb: float, daily_change_share: float, retention_days: float) -> float:
    """GB of incremental backups kept: one full copy and a day's changes for every day kept.

    Assumed: every day changes other blocks. Error: an upper bound; blocks that change daily count once.
    """
    return database_gb * (1.0 + daily_change_share * retention_days)


ARCHIVE_AFTER_DAYS = 30.0
"""§4.5 as corrected: working memory is hot 7 days, warm to 30, archived from 30."""


def measure(
    point: Point, *, dimensions: int, share: float = 1.0, data_share: float = 1.0, replicas: int = 1
) -> Footprint:
    """Return the footprint of one region that serves ``share`` of the users.

    The region holds ``data_share`` of all memories: memories replicate as text to the ``replicas`` open
    regions, so storage and the embedding of new memories do not shrink with the users served there
    (errata 6.4); an isolated region holds its own users' only. Requests, summaries and logs follow
    ``share``.
    """
    users = point.users * share
    active_days = users * point.active_share * DAYS_PER_MONTH
    retrieves = active_days * point.retrieves_per_user_day
    personal = active_days * point.personal_summaries_per_user_day
    task = active_days * point.task_summaries_per_user_day
    tool = active_days * point.tool_summaries_per_user_day
    compressions = active_days * point.compressions_per_user_day
    writes = personal + task + tool
    requests = retrieves + writes + compressions
    rps_average = requests / SECONDS_PER_MONTH
    rps_peak = rps_average * point.peak_factor
    memories = point.users * point.memories_per_user * data_share
    each = stored_bytes(point.memory_bytes, dimensions)
    vector = vector_bytes(dimensions)
    all_writes = writes / share * data_share if share else 0.0
    reranks = retrieves * point.rerank_share
    misses = 1.0 - point.cache_hit_rate
    embedding_calls = (all_writes + retrieves) * misses
    calls = {"personal": personal, "task": task, "tool": tool, "rerank": reranks, "compression": compressions}
    inputs = {
        "personal": personal * point.personal_input_tokens,
        "task": task * point.task_input_tokens,
        "tool": tool * point.tool_input_tokens,
        "rerank": reranks * point.rerank_input_tokens,
        "compression": compressions * point.compression_input_tokens,
    }
    outputs = {
        "personal": personal * point.personal_output_tokens,
        "task": task * point.task_output_tokens,
        "tool": tool * point.tool_output_tokens,
        "rerank": reranks * point.rerank_output_tokens,
        "compression": compressions * point.compression_output_tokens,
    }
    embedding_tokens = (all_writes * point.memory_embedding_tokens + retrieves * point.query_embedding_tokens) * misses
    inflow_gb = users * point.working_memory_mb_per_user_month * BYTES_PER_MB / BYTES_PER_GB
    puts = inflow_gb * BYTES_PER_GB / (point.working_memory_object_kb * BYTES_PER_KB)
    kept = point.working_memory_retention_days
    return Footprint(
        users=users,
        active_users=users * point.active_share,
        memories=memories,
        dimensions=dimensions,
        retrieves=retrieves,
        writes=writes,
        compressions=compressions,
        requests=requests,
        rps_average=rps_average,
        rps_peak=rps_peak,
        concurrency_peak=peak_concurrency(rps_peak, point.request_seconds),
        text_gb=memories * (each - vector) / BYTES_PER_GB,
        vectors_gb=memories * vector / BYTES_PER_GB,
        database_gb=memories * each / BYTES_PER_GB,
        input_tokens=inputs,
        output_tokens=outputs,
        cached_share=point.llm_cached_input_share,
        calls=calls,
        embedding_tokens=embedding_tokens,
        embedding_calls=embedding_calls,
        egress_gb=monthly_egress_gb(requests, point.response_kb),
        ingress_gb=monthly_egress_gb(requests, point.request_kb),
        model_traffic_gb=(
            (sum(inputs.values()) + sum(outputs.values()) + embedding_tokens) * TOKEN_BYTES
            + embedding_calls * dimensions * VECTOR_JSON_BYTES
        )
        / BYTES_PER_GB,
        model_outbound_gb=(sum(inputs.values()) + embedding_tokens) * TOKEN_BYTES / BYTES_PER_GB,
        replicated_gb=writes * (each - vector) * (replicas - 1) / BYTES_PER_GB,
        log_gb=log_volume_gb(requests, point.log_kb_per_request, LOG_SAMPLE_SHARE),
        access_log_gb=log_volume_gb(requests, ACCESS_LOG_KB),
        audit_log_gb=log_volume_gb(requests, AUDIT_LOG_KB),
        objects_hot_gb=object_stock_gb(inflow_gb, 0.0, min(kept, ARCHIVE_AFTER_DAYS)),
        objects_archive_gb=object_stock_gb(inflow_gb, ARCHIVE_AFTER_DAYS, kept),
        object_inflow_gb=inflow_gb,
        object_kb=point.working_memory_object_kb,
        objects_kept_days=kept,
        object_puts=puts,
        object_gets=compressions + puts,
        profiles_gb=users * point.profile_mb_per_user * BYTES_PER_MB / BYTES_PER_GB,
        daily_change_share=point.daily_change_share,
        backup_retention_days=point.backup_retention_days,
        log_retention_days=point.log_retention_days,
        iops_peak=peak_iops(rps_peak),
    )
