"""The typed sections of the settings, but for those about models; defaults work without a file."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.domain.profiles import PROFILE_BYTES
from app.settings.secrets import Secret, reveal


def _split(value: object) -> object:
    """A text is a JSON array, or names with commas between."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except RecursionError:
            raise ValueError("is nested too deep") from None
    return [part.strip() for part in value.split(",") if part.strip()]


def _check_path(path: Path) -> Path:
    text = str(path)
    if "\0" in text or text != text.encode("utf-8", "replace").decode():
        raise ValueError("must be a path in UTF-8 without NUL")
    return path


FilePath = Annotated[Path, AfterValidator(_check_path)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000_000)]


class Section(BaseModel):
    """A group of settings: unknown names are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(Section):
    """Where memories are kept: the embedded store (requirements §2.1) or PostgreSQL (§2.2).

    The rest is about the embedded store; `synchronous=NORMAL` may lose the last acknowledged writes at a power loss.
    """

    backend: Literal["sqlite", "memory", "postgres"] = "sqlite"
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    busy_timeout_ms: int = Field(default=5000, ge=0, le=600_000)
    cache_mb: int = Field(default=64, ge=1, le=65_536)


class HttpSettings(Section):
    """The server. `allow_open` serves without keys on an address that others reach; leave it off."""

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=8002, ge=0, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=1_073_741_824)
    max_import_bytes: int = Field(default=1_073_741_824, ge=1024, le=1_099_511_627_776)
    key_in_path: bool = False
    cors_origins: Names = ()
    allow_open: bool = False


class AccessSettings(Section):
    """Keys and limits (requirements §10.1). `auto` is open for callers on this machine while no key exists."""

    mode: Literal["auto", "required"] = "auto"
    requests_per_minute: int = Field(default=6000, ge=1, le=10_000_000)
    key_days: int = Field(default=90, ge=1, le=3650)
    overlap_days: int = Field(default=7, ge=0, le=90)
    max_top_k: int = Field(default=200, ge=1, le=200)
    max_page: int = Field(default=1000, ge=1, le=1000)


class SearchSettings(Section):
    """How results are ranked where a query does not say; null leaves age out.

    `rerank` asks the model of `llm.rerank` for the order of the best `rerank_candidates` (requirements §5.2), at most
    as many as a search may return.
    """

    half_life_days: float | None = Field(default=None, gt=0, le=36_500)
    rerank: bool = False
    rerank_candidates: int = Field(default=20, ge=2, le=200)


class SpendingSettings(Section):
    """What a workspace may spend on models, in USD; null is no cap, 0 asks no model (requirements §8.3)."""

    workspace_daily_usd: Usd | None = None
    workspace_monthly_usd: Usd | None = None


class WorkingMemorySettings(Section):
    """Compression of what an agent works with, and how long it is kept (requirements §4.5).

    `compression_ratio` is the part that may remain. Figures of tokens are those at which upstream's working memory
    compresses. Days make one table of the three policies of §4.5, §8.2 and §10.2: hot for `hot_days`, warm until
    `archive_after_days`, both since the last reading, and deleted `delete_after_days` after the offloading.
    """

    auto_compression: bool = True
    compression_ratio: float = Field(default=0.75, gt=0, le=1)
    max_messages: int = Field(default=1000, ge=2, le=100_000)
    max_total_tokens: int = Field(default=20_000, ge=256, le=10_000_000)
    max_tool_message_tokens: int = Field(default=2000, ge=32, le=1_000_000)
    hot_days: int = Field(default=7, ge=0, le=3650)
    archive_after_days: int = Field(default=30, ge=0, le=3650)
    delete_after_days: int = Field(default=90, ge=1, le=3650)
    archive_enabled: bool = True

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Raise where an age is reached only after a later one."""
        ages = {"hot_days": self.hot_days, "delete_after_days": self.delete_after_days}
        if self.archive_enabled:
            ages = {
                "hot_days": self.hot_days,
                "archive_after_days": self.archive_after_days,
                "delete_after_days": self.delete_after_days,
            }
        if list(ages.values()) != sorted(ages.values()):
            given = ", ".join(f"{name}={days}" for name, days in ages.items())
            raise ValueError(f"{given}: each must be at least the one before it")
        return self


class StorageSettings(Section):
    """Where long texts, users' profiles and weights of models are kept (requirements §4.1, §4.4).

    `local` is files in `base_path`, by default in `.reme/storage` below the working directory; `memory` forgets them
    at the end. `s3` is any store that speaks S3, at `endpoint` or AWS's own; `oss` is Alibaba Cloud's. Without keys
    the client's own chain finds them (the role of the machine). `encryption` is that of the server: its own key, or
    `kms_key_id`. 100 MiB is the document's largest file.
    """

    type: Literal["local", "memory", "s3", "oss"] = "local"
    base_path: FilePath | None = None
    max_file_bytes: int = Field(default=104_857_600, ge=1024, le=5_368_709_120)
    max_profile_bytes: int = Field(default=PROFILE_BYTES, ge=1024, le=1_048_576)
    bucket: str = Field(default="", max_length=63, pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    region: str = Field(default="", max_length=64, pattern=r"^[a-z0-9-]*$")
    endpoint: str | None = Field(default=None, max_length=2000, pattern=r"^https?://[^/@?#\s]+$")
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    prefix: str = Field(default="", max_length=512, pattern=r"^([A-Za-z0-9._-]+/)*([A-Za-z0-9._-]+/?)?$")
    path_style: bool = False
    encryption: Literal["none", "server", "kms"] = "none"
    kms_key_id: str = Field(default="", max_length=512)
    storage_class: str = Field(default="", max_length=64, pattern=r"^[A-Za-z_-]*$")
    timeout_s: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _check_bucket(self) -> Self:
        """Raise where a store in a cloud lacks its bucket, or half of a key is given."""
        if self.type in ("s3", "oss") and not self.bucket:
            raise ValueError(f"type={self.type} needs bucket too")
        if self.type == "oss" and not self.region:
            raise ValueError("type=oss needs region too, such as cn-beijing")
        if bool(reveal(self.access_key)) != bool(reveal(self.secret_key)):
            raise ValueError("access_key and secret_key belong together: give both, or none")
        return self


class McpSettings(Section):
    """The Model Context Protocol, served at the same port as HTTP (requirements §9.1 A).

    `compat` offers the tools of ReMe 0.2 beside ours; models choose better among fewer.
    """

    enabled: bool = True
    compat: bool = False
    path: str = Field(default="/mcp", pattern=r"^(/[A-Za-z0-9_-]+)+$", max_length=100)


class RetentionSettings(Section):
    """How long a deleted memory can be restored (requirements §10.2: 30 days)."""

    purge_after_days: int = Field(default=30, ge=0, le=3650)


class LogSettings(Section):
    """Log lines: JSON to standard error, or to a file. `mask` names fields whose values never appear (§7.3)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file: FilePath | None = None
    mask: Names = ("api_key", "password", "user_email", "credit_card")


class CompatSettings(Section):
    """`repr` prints `action_result` of `/vector_store` as upstream 0.2 did: as Python, not as JSON."""

    repr: bool = False
