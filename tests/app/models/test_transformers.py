"""The embedder over sentence-transformers, with a model of random weights where the package is installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from app.backends.embedders.transformers import SentenceTransformersEmbedder
from app.errors import SettingsError

TEXTS = ("I like tea", "我住在杭州", "", "broken \ud83d text", "x" * 32_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT of 16 dimensions, saved as sentence-transformers saves models."""
    reason = "{} is not installed: sentence-transformers brings torch, 1 GB and more"
    torch, bert, package = (
        pytest.importorskip(name, reason=reason.format(name))
        for name in ("torch", "transformers", "sentence_transformers")
    )
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

    torch.manual_seed(7)
    place = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "我", "住", "在"]
    (place / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    bert.BertTokenizerFast(str(place / "vocab.txt")).save_pretrained(place / "bert")
    config = bert.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    bert.BertModel(config).save_pretrained(place / "bert")
    transformer = modules.Transformer(str(place / "bert"), max_seq_length=64)
    package.SentenceTransformer(modules=[transformer, modules.Pooling(16)], device="cpu").save(str(place / "whole"))
    return place / "whole"


def test_vectors_of_a_model_on_disk(folder: Path) -> None:
    embedder = SentenceTransformersEmbedder(model_name=str(folder), dimensions=16, device="cpu")
    embedder.warm()
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 16)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert embedder.embed(TEXTS[::-1]) == pytest.approx(vectors[::-1], abs=1e-5)
    assert embedder.embed_query(TEXTS[0]) == pytest.approx(vectors[0], abs=1e-5)
    assert embedder.embed([]).shape == (0, 16)


def test_dimensions_that_the_model_does_not_have(folder: Path) -> None:
    with pytest.raises(SettingsError, match="gives 16: set that"):
        SentenceTransformersEmbedder(model_name=str(folder), dimensions=17).warm()


@pytest.mark.parametrize(("name", "device"), [("missing", "cpu"), ("", "cuda:77")])
def test_a_model_or_device_that_is_not_there(folder: Path, name: str, device: str) -> None:
    embedder = SentenceTransformersEmbedder(model_name=str(folder / name), dimensions=16, device=device)
    with pytest.raises(SettingsError, match="cannot be loaded"):
        embedder.warm()


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    embedder = SentenceTransformersEmbedder(model_name="BAAI/bge-m3", dimensions=1024)
    assert embedder.identity.dimensions == 1024
    with pytest.raises(SettingsError, match=r"reme-cloud\[transformers\]"):
        embedder.warm()


@pytest.mark.parametrize(("name", "dimensions"), [(" ", 1024), ("BAAI/bge-m3", 0)])
def test_settings_that_cannot_be_used(name: str, dimensions: int) -> None:
    with pytest.raises(SettingsError):
        SentenceTransformersEmbedder(model_name=name, dimensions=dimensions)
