"""Every key of the requirements' configuration blocks is honoured, or answered with what replaces it, or refused."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.commands.config import list_values
from app.errors import SettingsError
from app.settings import Notice, Settings, load_settings

HERE = Path(__file__).parent
BLOCKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "blocks").glob("*.yaml"))}
with (HERE / "blocks.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
COMPLETION: Mapping[str, list[str]] = {
    "1.1_embedding": ["embedding.model_name=bge-m3", "embedding.api_base=https://embed.example/v1"],
    "5.4_models_by_task": ["llm.default.api_base=https://llm.example/v1", "llm.default.model_name=any"],
    "8.2_models_by_task": ["llm.default.api_base=https://llm.example/v1", "llm.default.model_name=any"],
    "5.4_batches": ["embedding.backend=openai_compatible", "embedding.model_name=x", "embedding.api_base=http://x/v1"],
    "8.2_batches": ["embedding.backend=openai_compatible", "embedding.model_name=x", "embedding.api_base=http://x/v1"],
}
"""What a block leaves to others."""
CANARY = "sk-canary"


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return tree


def load(folder: Path, values: Mapping[str, Any], arguments: list[str]) -> Settings:
    path = folder / "reme.yaml"
    path.write_text(yaml.safe_dump(nest(values)))
    return load_settings(arguments, config=path)


def show(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_notice(settings: Settings, key: str) -> Notice:
    return next(notice for notice in settings.notices if notice.name.partition("=")[0] == key)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{(\w+)\}", "".join(BLOCKS.values())):
        monkeypatch.setenv(name, CANARY)


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize("block", BLOCKS)
def test_every_key_of_a_block_has_its_answer(block: str, tmp_path: Path) -> None:
    values = flatten(yaml.safe_load(BLOCKS[block]))
    rows = {row["key"]: row for row in ROWS if row["block"] == block}
    assert set(rows) == set(values)
    refused = {key for key, row in rows.items() if row["answer"] == "refused"}
    arguments = COMPLETION.get(block, [])
    for key in refused:
        with pytest.raises(SettingsError) as refusal:
            load(tmp_path, {key: values[key]}, arguments)
        assert key in refusal.value.message
        assert rows[key]["expected"] in refusal.value.message
    settings = load(tmp_path, {key: value for key, value in values.items() if key not in refused}, arguments)
    in_force = list_values(settings)
    for key, row in rows.items():
        if row["answer"] == "honoured":
            setting, _, value = row["expected"].partition("=")
            assert show(in_force[setting]) == value
            assert settings.origins[setting] == "file"
            assert key not in settings.ignored
        elif row["answer"] != "refused":
            notice = find_notice(settings, key)
            assert (notice.kind, row["expected"] in str(notice)) == (row["answer"], True), notice
    assert CANARY not in repr(settings) + str(settings.notices) + str(in_force)


@pytest.mark.usefixtures("variables")
def test_all_refusals_of_a_file_are_told_at_once_and_without_secrets(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refusal:
        values = flatten(yaml.safe_load(BLOCKS["2.2_pgvector"] + BLOCKS["4.4_s3"]))
        load(tmp_path, values | {"vector_store.default.backend": "milvus", "storage.type": "azure"}, [])
    assert "vector_store.default.backend=milvus" in refusal.value.message
    assert "storage.type=azure" in refusal.value.message
    assert CANARY not in refusal.value.message


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("database.journal_mode=DELETE", "the store always uses WAL"),
        ("database.vector_index.metric=euclidean", "always the cosine"),
        ("database.path=/var/lib/other.db", "working_dir"),
        ("store.backend=qdrant", "vector_index.backend"),
        ("rbac.enabled=false", "roles always apply"),
    ],
)
def test_what_contradicts_is_refused(argument: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refusal:
        load_settings([argument])
    assert argument in refusal.value.message
