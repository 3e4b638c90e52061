"""Names of upstream: which apply, which of two wins, and what is answered to the rest."""

from itertools import product
from pathlib import Path

import pytest

from app.domain.language import ModelTask
from app.settings import UPSTREAM_NAMES, UPSTREAM_VARIABLES, load_settings, setting_names
from app.settings.answers import read_answers
from app.settings.upstream import translate_name

KNOWN = frozenset(setting_names())
RESTS = ("default.backend", "qdrant.backend")


def test_upstreams_command_line_is_accepted() -> None:
    settings = load_settings(
        [
            "backend=http",
            "http.port=8003",
            "llm.default.model_name=qwen3-30b-a3b-instruct-2507",
            "embedding_model.default.model_name=text-embedding-v4",
            "vector_store.default.backend=local",
        ]
    )
    assert settings.http.port == 8003
    assert settings.store.backend == "sqlite"
    assert settings.ignored == ("llm.default.model_name", "embedding_model.default.model_name")
    assert not settings.llm.default.usable


@pytest.mark.parametrize("prefix", ["", "FLOW_"])
def test_upstreams_environment_gives_models(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LLM_API_KEY": "sk-canary",
        "LLM_BASE_URL": "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "EMBEDDING_API_KEY": "sk-canary",
        "EMBEDDING_BASE_URL": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    }.items():
        monkeypatch.setenv(prefix + name, value)
    settings = load_settings(["llm.default.model_name=qwen", "embedding_model.default.model_name=text-embedding-v4"])
    assert settings.llm.choice(ModelTask.TASK).revealed_key == "sk-canary"
    assert settings.llm.choice(ModelTask.TASK).usable
    assert settings.embedding.backend == "openai_compatible"
    assert settings.embedding.revealed_key == "sk-canary"
    assert settings.sources["llm.default.api_key"] == f"variable {prefix}LLM_API_KEY"
    assert settings.warnings == ()


def test_variables_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "REME_HOST": "0.0.0.0",  # noqa: S104
        "REME_PORT": "2333",
        "REME_COMPAT_REPR": "1",
        "REME_HTPP__PORT": "1",
        "FLOW_ES_HOSTS": "http://es:9200",
        "FLOW_APP_NAME": "sk-canary",
        "REME_WORKSPACE_DIR": "/app/.reme",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.http.host, settings.http.port, settings.compat.repr) == ("0.0.0.0", 2333, True)  # noqa: S104
    assert settings.elasticsearch.hosts == ("http://es:9200",)
    assert settings.ignored == ("FLOW_APP_NAME", "REME_HTPP__PORT", "REME_WORKSPACE_DIR", "FLOW_ES_HOSTS")
    assert "REME_WORKING_DIR" in settings.warnings[2]
    assert "sk-canary" not in repr(settings) + str(settings.notices)


def test_our_own_name_beats_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_PORT", "1")
    monkeypatch.setenv("REME_HTTP__PORT", "2")
    assert load_settings().http.port == 2
    assert load_settings().ignored == ("REME_PORT",)
    assert load_settings(["service.port=3"]).http.port == 3
    assert load_settings(["service.port=3", "http.port=4"]).http.port == 4
    assert load_settings(["http.port=4", "http.port=5"]).http.port == 5


def test_the_newer_variable_beats_the_older_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_LLM_API_KEY", "sk-canary-1")
    monkeypatch.setenv("LLM_API_KEY", "sk-canary-2")
    settings = load_settings(["llm.default.model_name=m", "llm.default.api_base=https://llm.example/v1"])
    assert settings.llm.default.revealed_key == "sk-canary-2"
    assert settings.warnings == ("FLOW_LLM_API_KEY: LLM_API_KEY says it too and is stronger",)


@pytest.mark.parametrize(
    ("address", "used"),
    [
        ("https://dashscope.aliyuncs.com/api/v1", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("https://dashscope-intl.aliyuncs.com/api/v1/", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
    ],
)
def test_an_address_that_does_not_answer_like_openai_is_corrected(address: str, used: str) -> None:
    settings = load_settings([f"llm.default.params.api_base={address}", "llm.default.model_name=m"])
    assert settings.llm.default.api_base == used
    assert len(settings.warnings) == 1
    assert used in settings.warnings[0]
    assert settings.ignored == ()
    right = load_settings([f"llm.default.api_base={used}", "llm.default.model_name=m"])
    assert (right.llm.default.api_base, right.warnings) == (used, ())


@pytest.mark.parametrize(
    ("argument", "cache_mb"), [("-64000", 63), ("-65536", 64), ("16384", 64), ("-1", 1), ("1000", 4)]
)
def test_sqlites_cache_size_is_counted_in_kib_or_pages(argument: str, cache_mb: int) -> None:
    assert load_settings([f"database.cache_size={argument}"]).store.cache_mb == cache_mb


@pytest.mark.parametrize(
    ("path", "working_dir"),
    [("/srv/a/.reme/memory.db", "/srv/a"), (".reme/memory.db", "."), ("/.reme/memory.db", "/")],
)
def test_the_path_of_the_store_names_its_directory(path: str, working_dir: str) -> None:
    settings = load_settings([f"database.path={path}"])
    assert settings.working_dir == Path(working_dir)
    assert settings.store_path == Path(path)


def test_upstreams_task_names_are_operations_of_ours() -> None:
    settings = load_settings(["llm.summarizer.model_name=a", "llm.task.model_name=b", "llm.retriever.params.timeout=9"])
    names = {task: getattr(settings.llm, task).model_name for task in ModelTask}
    assert names == {"personal": "a", "task": "b", "tool": "a", "compression": "a", "rerank": None}
    assert settings.llm.rerank.timeout_s == 9


@pytest.mark.parametrize("name", [*UPSTREAM_NAMES.values(), *UPSTREAM_VARIABLES.values()])
def test_every_name_leads_to_a_setting(name: str) -> None:
    for meaning in name.split():
        filled = [
            meaning.replace("<task>", task).replace("<key>", key).replace("<rest>", rest)
            for task, key, rest in product(("default", "qdrant"), ("model_name", "api_key", "m", "region"), RESTS)
        ]
        assert any(translate_name(each, KNOWN) for each in filled), meaning


def test_every_answer_says_what_it_is_about_and_what_to_do() -> None:
    rows = read_answers()
    assert len({(row.pattern, row.values.pattern if row.values else "") for row in rows}) == len(rows)
    for row in rows:
        assert row.kind in ("refused", "replaced", "always")
        assert row.meaning
        assert row.replacement
        assert "*" in row.pattern or row.kind == "refused" or not translate_name(row.pattern, KNOWN), row.pattern
        assert row.kind != "refused" or row.values is not None
