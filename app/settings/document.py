"""All settings of the service as one value."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator

from app.settings.models import EmbeddingSettings, LlmSettings
from app.settings.moderation import ModerationSettings
from app.settings.secrets import REVEAL
from app.settings.sections import (
    AccessSettings,
    CompatSettings,
    FilePath,
    HttpSettings,
    LogSettings,
    McpSettings,
    RetentionSettings,
    SearchSettings,
    SpendingSettings,
    StorageSettings,
    StoreSettings,
    WorkingMemorySettings,
)
from app.settings.servers import (
    CacheSettings,
    ChromaSettings,
    ElasticsearchSettings,
    PostgresSettings,
    QdrantSettings,
    VectorIndexSettings,
)
from app.settings.upstream import Notice


class Settings(BaseModel):
    """All settings. Constructing them reads nothing; `load_settings` reads files and the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    working_dir: FilePath = Path()
    store: StoreSettings = StoreSettings()
    postgres: PostgresSettings = PostgresSettings()
    vector_index: VectorIndexSettings = VectorIndexSettings()
    qdrant: QdrantSettings = QdrantSettings()
    elasticsearch: ElasticsearchSettings = ElasticsearchSettings()
    chroma: ChromaSettings = ChromaSettings()
    cache: CacheSettings = CacheSettings()
    http: HttpSettings = HttpSettings()
    access: AccessSettings = AccessSettings()
    llm: LlmSettings = LlmSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    search: SearchSettings = SearchSettings()
    spending: SpendingSettings = SpendingSettings()
    moderation: ModerationSettings = ModerationSettings()
    working_memory: WorkingMemorySettings = WorkingMemorySettings()
    storage: StorageSettings = StorageSettings()
    mcp: McpSettings = McpSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    compat: CompatSettings = CompatSettings()

    @model_validator(mode="after")
    def _check_servers(self) -> Self:
        """Raise where a backend lacks its server's address, or what it would share is not shared."""
        if self.store.backend == "postgres" and not self.postgres.revealed_connection_string:
            raise ValueError(
                "store.backend=postgres needs postgres.connection_string, such as postgresql://user:password@host/db"
            )
        if self.store.backend == "memory" and self.vector_index.backend != "store":
            raise ValueError(
                f"vector_index.backend={self.vector_index.backend} would outlive store.backend=memory: "
                "use sqlite or postgres with it"
            )
        return self

    _notices: tuple[Notice, ...] = PrivateAttr(default=())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was given and is not used, and what replaces it; what was corrected; what is in force anyway."""
        return self._notices

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say at a start: the notices, but for those about what is in force anyway."""
        return tuple(str(notice) for notice in self._notices if notice.kind != "always")

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names that were given and mean nothing here."""
        return tuple(notice.name for notice in self._notices if notice.kind == "replaced")

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting comes from: "argument", "environment", "file" or "default"."""
        return {name: self._origins.get(name, "default") for name in setting_names()}

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each setting comes from, with the name of the variable or of the file."""
        return {name: self._sources.get(name, "default") for name in setting_names()}

    @property
    def data_dir(self) -> Path:
        """Where the service keeps its files."""
        return self.working_dir.expanduser() / ".reme"

    @property
    def store_path(self) -> Path:
        """The embedded store's file."""
        return self.data_dir / "memory.db"

    @property
    def storage_path(self) -> Path:
        """The folder of long texts (requirements §4.4)."""
        return self.data_dir / "storage" if self.storage.base_path is None else self.storage.base_path.expanduser()

    def hand_over(self) -> str:
        """The settings as JSON with the secrets in the clear, for a worker process; `receive_settings` reads it."""
        return self.model_dump_json(context=REVEAL)


@cache
def setting_names() -> tuple[str, ...]:
    """Every setting's dotted name, in order."""
    return tuple(_list_names(Settings))


def _list_names(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _list_names(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
