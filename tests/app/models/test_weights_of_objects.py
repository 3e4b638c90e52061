"""The embedder over weights that the object store keeps: pulled at the start, once, and told apart by what they are."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from app.assembly import build_services, open_weights
from app.domain.access import LOCAL_ADMIN
from app.domain.memory import MemoryDraft, MemoryKind
from app.errors import EmbeddingMismatch, NotFound, StoreCorrupt
from app.settings import EmbeddingSettings, Settings
from tests.app.models.test_transformers import folder as trained_folder

DIMENSIONS = 4
__all__ = ["trained_folder"]


class FileModel:
    """In the place of the package, which brings 1 GB of torch: a model whose only weight is a number in a file."""

    device = "cpu"

    def __init__(self, place: str, device: str | None = None) -> None:
        self.factor = float((Path(place) / "weight.txt").read_text())

    def encode(self, texts: Any, **_: Any) -> Any:
        rows = [[self.factor, len(text), text.count("a"), 1] for text in ([texts] if isinstance(texts, str) else texts)]
        return np.array(rows[0] if isinstance(texts, str) else rows, dtype=np.float32)

    encode_query = encode_document = encode


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = FileModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(tmp_path, DIMENSIONS)


def read_settings(working_dir: Path, dimensions: int) -> Settings:
    embedding = {"backend": "sentence_transformers", "model_name": "objects:tiny", "dimensions": dimensions}
    return Settings.model_validate({"working_dir": working_dir, "embedding": embedding})


def push(settings: Settings, folder: Path, weight: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "weight.txt").write_text(weight)
    with open_weights(settings) as weights:
        weights.push(folder, "tiny")


def list_cache(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "weights").iterdir())


@pytest.mark.usefixtures("package")
def test_the_service_pulls_weights_once_and_embeds_with_them(settings: Settings, tmp_path: Path) -> None:
    push(settings, tmp_path / "model", "2.5")
    services = build_services(settings)
    services.memories.add(LOCAL_ADMIN, "w", [MemoryDraft(kind=MemoryKind.PERSONAL, content="tea at four")])
    assert str(services.store.spaces.identity()).startswith("tiny@")
    services.close()
    (cached,) = list_cache(settings)
    assert (cached / "weight.txt").read_text() == "2.5"
    moment = cached.stat().st_mtime_ns
    with open_weights(settings) as weights:  # without a part left to pull
        for part in (settings.storage_path / "weights" / "tiny").iterdir():
            if part.name != "manifest":
                part.unlink()
        assert weights.list()[0].manifest is not None
    again = build_services(settings)
    assert again.embedder.embed_query("tea at four").shape == (DIMENSIONS,)
    again.close()
    assert [(path, path.stat().st_mtime_ns) for path in list_cache(settings)] == [(cached, moment)]


@pytest.mark.usefixtures("package")
def test_other_weights_of_the_name_are_another_embedding(settings: Settings, tmp_path: Path) -> None:
    push(settings, tmp_path / "model", "2.5")
    services = build_services(settings)
    services.memories.add(LOCAL_ADMIN, "w", [MemoryDraft(kind=MemoryKind.PERSONAL, content="tea at four")])
    services.close()
    push(settings, tmp_path / "model", "9")
    with pytest.raises(EmbeddingMismatch):
        services = build_services(settings)
        try:
            services.reembedding.check()
        finally:
            services.close()


@pytest.mark.usefixtures("package")
def test_weights_that_are_missing_or_damaged_stop_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="reme weights push"):
        build_services(settings)
    push(settings, tmp_path / "model", "2.5")
    for part in (settings.storage_path / "weights" / "tiny").iterdir():
        if part.name != "manifest":
            part.write_text("9.9")
    with pytest.raises(StoreCorrupt, match="damaged"):
        build_services(settings)
    assert list_cache(settings) == []
    assert not settings.store_path.exists()


def test_a_model_of_the_package(trained_folder: Path, tmp_path: Path) -> None:
    """The tiny BERT of the embedder's own tests, where the package is installed."""
    settings = read_settings(tmp_path, 16)
    with open_weights(settings) as weights:
        weights.push(trained_folder, "tiny")
    services = build_services(settings)
    assert services.embedder.embed_query("I like tea").shape == (16,)
    services.close()


@pytest.mark.parametrize(
    ("backend", "name"),
    [("openai_compatible", "objects:tiny"), ("local", "objects:tiny"), ("sentence_transformers", "objects:"),
     ("sentence_transformers", "objects:../x"), ("sentence_transformers", "objects:Tiny")],
)  # fmt: skip
def test_settings_that_cannot_be_used(backend: str, name: str) -> None:
    with pytest.raises(ValidationError, match="objects:"):
        EmbeddingSettings.model_validate({"backend": backend, "model_name": name, "api_base": "http://localhost/v1"})
