"""Settings of models: what a task inherits, when a model is asked, and that keys are shown to nobody."""

import json
from pathlib import Path

import pytest

from app.commands.config import list_values
from app.domain.language import ModelTask
from app.errors import SettingsError
from app.settings import MASK, Settings, load_settings, receive_settings

CANARY = "sk-canary"
PROVIDER = ["llm.default.model_name=large", "llm.default.api_base=https://llm.example/v1"]


def test_a_task_is_what_its_own_settings_say_and_else_the_default() -> None:
    settings = load_settings([*PROVIDER, "llm.rerank.model_name=small", "llm.rerank.timeout_s=3"])
    rerank, personal = settings.llm.choice(ModelTask.RERANK), settings.llm.choice(ModelTask.PERSONAL)
    assert (rerank.model_name, rerank.timeout_s, rerank.max_tokens) == ("small", 3, 4096)
    assert personal == settings.llm.default
    assert all(settings.llm.choice(task).usable for task in ModelTask)


def test_no_model_is_asked_without_a_name_and_an_address() -> None:
    assert not Settings().llm.choice(ModelTask.TASK).usable
    settings = load_settings(["llm.default.model_name=large", "llm.default.api_key=k"])
    assert not settings.llm.default.usable
    assert settings.ignored == ("llm.default.model_name", "llm.default.api_key")
    assert "rules answer" in settings.warnings[0]
    alone = load_settings(["llm.tool.model_name=x", "llm.tool.api_base=https://llm.example/v1"])
    assert [task for task in ModelTask if alone.llm.choice(task).usable] == [ModelTask.TOOL]
    assert alone.warnings == ()


def test_a_key_goes_to_no_other_address_than_its_own() -> None:
    settings = load_settings([*PROVIDER, f"llm.default.api_key={CANARY}", "llm.tool.api_base=https://other.example/v1"])
    assert settings.llm.choice(ModelTask.TASK).revealed_key == CANARY
    assert settings.llm.choice(ModelTask.TOOL).revealed_key is None


def test_keys_reach_workers_and_nobody_else() -> None:
    settings = load_settings([*PROVIDER, f"llm.default.api_key={CANARY}", f"llm.task.api_key={CANARY}2"])
    shown = repr(settings) + str(settings) + settings.model_dump_json() + str(settings.model_dump())
    assert CANARY not in shown + str(list_values(settings)) + str(settings.notices)
    assert list_values(settings)["llm.default.api_key"] == MASK
    assert list_values(settings)["embedding.api_key"] is None
    received = receive_settings(settings.hand_over())
    assert received.llm == settings.llm
    assert received.llm.choice(ModelTask.TASK).revealed_key == f"{CANARY}2"
    assert json.loads(settings.hand_over())["llm"]["default"]["api_key"] == CANARY


@pytest.mark.parametrize(
    "text",
    [
        "llm: {default: {api_key: [sk-canary]}}",
        "llm: {default: {api_key: {value: sk-canary}}}",
        "llm: {default: {api_key: {sk-canary}}}",
        "llm: {default: {api_base: sk-canary}}",
        "llm: {default: {api_base: 'https://me:sk-canary/==@llm.example/v1'}}",
        "llm: {default: {api_base: 'https:/me:sk-canary@llm.example/v1'}}",
        "llm: {default: {api_key: sk-canary, temperature: hot}}",
        "llm: {default: {api_base: 'https://me:sk-canary@llm.example/v1'}}",
        "llm: {default: {api_base: 'https://llm.example/v1?key=sk-canary'}}",
        "llm: {default: sk-canary}",
        "llm: [sk-canary]",
        "embedding: {api_key: sk-canary, backend: openai_compatible}",
        "llm: {default: {api_key: 'sk-canary}}",
        'llm: {default: {api_key: "sk-canary\\q"}}',
        "llm: {default: {api_key: !!python/name:sk-canary }}",
        "llm: {default: {api_key: *sk-canary }}",
        "storage: {type: s3, params: {secret_key: sk-canary}}",
        "llm: {default: {api_key: sk-canary\x00}}",
    ],
)
def test_an_error_shows_no_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refusal:
        load_settings(config=file)
    assert "canary" not in refusal.value.message


@pytest.mark.parametrize(
    "arguments", [["llm.default.api_key", "sk-canary"], ["llm.default.api_key:sk-canary"], ["Sk-canary=="]]
)
def test_a_key_that_went_astray_is_not_shown(arguments: list[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(arguments[-1:])
    assert "canary" not in refusal.value.message


@pytest.mark.parametrize("variable", ["LLM_BASE_URL", "REME_LLM__DEFAULT__API_BASE"])
def test_a_bad_variable_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "https://u:sk-canary@x.example/")
    with pytest.raises(SettingsError, match=variable) as refusal:
        load_settings()
    assert "canary" not in refusal.value.message


def test_an_embedding_with_an_address_is_a_providers() -> None:
    given = ["embedding.model_name=text-embedding-v4", "embedding.api_base=https://embed.example/v1"]
    settings = load_settings(given)
    assert settings.embedding.backend == "openai_compatible"
    assert settings.sources["embedding.backend"] == "embedding.api_base by argument"
    assert load_settings([*given, "embedding.backend=local"]).embedding.backend == "local"
    assert load_settings(given[:1]).embedding.backend == "local"
    assert load_settings(given[:1]).ignored == ("embedding.model_name",)


def test_a_question_has_a_deadline_of_its_own() -> None:
    assert (Settings().embedding.deadline_s, Settings().embedding.query_deadline_s) == (60, 5)
    assert load_settings(["embedding.query_deadline_s=0.5"]).embedding.query_deadline_s == 0.5
    with pytest.raises(SettingsError, match="query_deadline_s"):
        load_settings(["embedding.query_deadline_s=0"])
