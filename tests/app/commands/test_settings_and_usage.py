"""`reme config` and `reme usage`."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from app.commands.config import MASK, list_values
from app.settings import Settings, load_settings, setting_names
from sizing.workload_document import read_workload
from tests.app.commands.conftest import Runner


def test_every_setting_is_shown_with_its_source(reme: Runner, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "reme.toml").write_text("[http]\nport = 9000\nworkers = 3\n[store]\ncache_mb = 32\n")
    monkeypatch.setenv("REME_HTTP__WORKERS", "2")
    monkeypatch.setenv("REME_HOST", "127.0.0.2")
    monkeypatch.setenv("LLM_API_KEY", "sk-very-secret")
    done = reme("config", "--config", "reme.toml", "--json", "store.cache_mb=16", "llm.default.model_name=qwen")
    assert done.code == 0
    document = json.loads(done.out)
    settings = document["settings"]
    assert set(settings) == set(setting_names())
    assert settings["http.port"] == {"value": 9000, "source": "file reme.toml"}
    assert settings["http.workers"] == {"value": 2, "source": "variable REME_HTTP__WORKERS"}
    assert settings["http.host"] == {"value": "127.0.0.2", "source": "variable REME_HOST"}
    assert settings["store.cache_mb"] == {"value": 16, "source": "argument"}
    assert settings["log.level"] == {"value": "INFO", "source": "default"}
    assert document["ignored"] == ["LLM_API_KEY", "llm.default.model_name"]
    assert "sk-very-secret" not in done.out + done.err


def test_upstream_arguments_count_as_arguments(reme: Runner) -> None:
    done = reme("config", "service.port=9", "vector_store.default.backend=memory", "--working-dir", "there", "--json")
    settings = json.loads(done.out)["settings"]
    assert settings["http.port"] == {"value": 9, "source": "argument"}
    assert settings["store.backend"] == {"value": "memory", "source": "argument"}
    assert settings["working_dir"] == {"value": "there", "source": "argument"}


def test_the_table_names_what_has_no_meaning_here(reme: Runner) -> None:
    done = reme("config", "llm.default.model_name=qwen")
    for name in setting_names():
        assert name in done.out
    assert done.err == "reme: without a meaning here: llm.default.model_name\n"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "model_dump", lambda self, mode: {"llm": {"api_key": "sk-1", "password": ""}})
    assert list_values(Settings()) == {"llm.api_key": MASK, "llm.password": ""}


def test_the_schema_describes_a_settings_file(reme: Runner) -> None:
    schema = json.loads(reme("config", "schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(load_settings().model_dump(mode="json"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"http": {"port": "many"}}, schema)


def test_usage_counts_what_was_done(reme: Runner) -> None:
    reme("add", "one")
    assert reme("search", "one").code == 0
    done = reme("usage")
    assert done.code == 0
    for words in ("add", "retrieve", "embed", "models cost 0.0000 USD"):
        assert words in done.out
    report = json.loads(reme("usage", "--format", "json", "--workspace", "default").out)
    assert {line["operation"] for line in report["lines"]} >= {"add", "retrieve"}


def test_usage_becomes_a_workload_for_the_planner(reme: Runner) -> None:
    reme("add", "one")
    done = reme("usage", "--format", "workload")
    workload = read_workload(yaml.safe_load(done.out))
    assert workload.drivers["users"].expected == 1


def test_days_without_use_are_said(reme: Runner) -> None:
    reme("add", "one")
    done = reme("usage", "--from", "2020-01-01", "--to", "2020-01-31")
    assert (done.code, done.out) == (0, "")
    assert "nothing was metered" in done.err
    assert reme("usage", "--from", "2020-01-01", "--to", "2020-01-31", "--format", "workload").code == 2
    assert reme("usage", "--from", "2020-02-01", "--to", "2020-01-01").code == 2
    assert reme("usage", "--from", "yesterday").code == 2
