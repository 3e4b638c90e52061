"""`reme config` and `reme usage`."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from app.settings import MASK, load_settings, setting_names
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
    assert settings["llm.default.api_key"] == {"value": MASK, "source": "variable LLM_API_KEY"}
    assert settings["llm.default.model_name"] == {"value": "qwen", "source": "argument"}
    assert [notice["name"] for notice in document["notices"]] == ["LLM_API_KEY", "llm.default.model_name"]
    assert "sk-very-secret" not in done.out + done.err
    again = reme("config", "show", "--config", "reme.toml", "--format", "json", "store.cache_mb=16")
    assert json.loads(again.out)["settings"] == settings | {
        "llm.default.model_name": {"value": "", "source": "default"}
    }


def test_upstream_arguments_count_as_arguments(reme: Runner) -> None:
    done = reme("config", "service.port=9", "vector_store.default.backend=memory", "--working-dir", "there", "--json")
    settings = json.loads(done.out)["settings"]
    assert settings["http.port"] == {"value": 9, "source": "argument"}
    assert settings["store.backend"] == {"value": "memory", "source": "argument"}
    assert settings["working_dir"] == {"value": "there", "source": "argument"}


def test_a_second_table_says_what_replaces_what_is_not_used(reme: Runner) -> None:
    done = reme("config", "flow.x=1", "database.journal_mode=WAL", "llm.default.api_key=sk-very-secret")
    settings, notices = done.out.split("Given")
    for name in setting_names():
        assert name in settings
    for words in ("flow.x", "the operations are fixed", "database.journal_mode=WAL", "always WAL here", "§2.1"):
        assert words in notices
    assert MASK in settings
    assert "sk-very-secret" not in done.out + done.err
    assert "Given" not in reme("config").out


def test_what_is_refused_is_one_line(reme: Runner) -> None:
    done = reme("config", "vector_store.default.backend=milvus")
    assert done.code == 2
    assert done.err.startswith("reme: error: settings cannot be used: vector_store.default.backend=milvus: it is one")


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


@pytest.mark.usefixtures("midday")
def test_a_plan_stands_beside_what_was_metered(reme: Runner, place: Path) -> None:
    (place / "plan.yaml").write_text("users: 10\nretrieves_per_user_day: 4\nactive_share: 0.5\n")
    reme("add", "one")
    assert reme("search", "one").code == 0
    done = reme("usage", "--plan", "plan.yaml")
    assert done.code == 0
    assert "Planned" in done.out
    figures = json.loads(reme("usage", "--plan", "plan.yaml", "--format", "json").out)
    (retrieves,) = [each for each in figures if each["figure"] == "retrieves"]
    assert (retrieves["planned"], retrieves["metered"], retrieves["ratio"]) == (20, 1, 0.05)
    (cost,) = [each for each in figures if each["unit"] == "USD/month"]
    assert cost["planned"] > cost["metered"] == 0
    assert reme("usage", "--workload").out == reme("usage", "--format", "workload").out


def test_a_plan_that_cannot_be_compared(reme: Runner) -> None:
    reme("add", "one")
    missing = reme("usage", "--plan", "missing.json")
    assert (missing.code, missing.out) == (2, "")
    assert "missing.json cannot be read" in missing.err
    assert reme("usage", "--plan", "missing.json", "--workload").code == 2
