"""What /readyz looks at beyond a store that answers: its embedding, and the space under it."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from app.assembly import build_services
from app.domain.access import LOCAL_ADMIN
from app.domain.embedding import EmbeddingIdentity
from app.domain.memory import MemoryDraft, MemoryKind
from app.errors import EmbeddingMismatch, StoreFull
from app.main import LEAST_FREE_BYTES, _check_store
from app.settings import load_settings

Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_and_another_embedding_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings([f"working_dir={tmp_path}", "embedding.backend=hashing"])
    services = build_services(settings)
    try:
        services.memories.add(LOCAL_ADMIN, "w", [MemoryDraft(kind=MemoryKind.TASK, content="one")])
        _check_store(settings, services)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, LEAST_FREE_BYTES - 1))
        with pytest.raises(StoreFull, match="free some space"):
            _check_store(settings, services)
        monkeypatch.undo()
        spaces = services.reembedding._spaces
        monkeypatch.setattr(spaces, "identity", lambda: EmbeddingIdentity(model="other", dimensions=64))
        with pytest.raises(EmbeddingMismatch, match="reme reembed"):
            _check_store(settings, services)
    finally:
        services.close()
