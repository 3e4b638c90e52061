"""Settings of the service: `key=value` arguments, environment variables, a file, defaults; the first found wins.

Constructing `Settings` reads nothing; `load_settings` is the only place that looks at the environment.
"""

from app.settings.document import Settings, setting_names
from app.settings.loading import load_settings, receive_settings
from app.settings.models import EmbeddingSettings, LlmSettings, ModelSettings, TaskModelSettings
from app.settings.moderation import ModerationSettings
from app.settings.secrets import MASK
from app.settings.sections import (
    AccessSettings,
    CompatSettings,
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
from app.settings.sources import ENVIRONMENT_PREFIX, WORKER_SETTINGS, variable_of
from app.settings.upstream import UPSTREAM_NAMES, UPSTREAM_VALUES, UPSTREAM_VARIABLES, Notice

__all__ = [
    "ENVIRONMENT_PREFIX",
    "MASK",
    "UPSTREAM_NAMES",
    "UPSTREAM_VALUES",
    "UPSTREAM_VARIABLES",
    "WORKER_SETTINGS",
    "AccessSettings",
    "CacheSettings",
    "ChromaSettings",
    "CompatSettings",
    "ElasticsearchSettings",
    "EmbeddingSettings",
    "HttpSettings",
    "LlmSettings",
    "LogSettings",
    "McpSettings",
    "ModelSettings",
    "ModerationSettings",
    "Notice",
    "PostgresSettings",
    "QdrantSettings",
    "RetentionSettings",
    "SearchSettings",
    "Settings",
    "SpendingSettings",
    "StorageSettings",
    "StoreSettings",
    "TaskModelSettings",
    "VectorIndexSettings",
    "WorkingMemorySettings",
    "load_settings",
    "receive_settings",
    "setting_names",
    "variable_of",
]
