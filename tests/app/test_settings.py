"""Settings: where they come from, which wins, what of upstream's applies, what is refused and how."""

import json
from pathlib import Path

import pytest
import yaml

from app.errors import SettingsError
from app.settings import Settings, load_settings, receive_settings, setting_names


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in os.environ:
        if name.startswith(("REME_", "FLOW_", "LLM_", "EMBEDDING_")):
            monkeypatch.delenv(name)


def test_defaults_are_safe() -> None:
    settings = load_settings()
    assert (settings.http.host, settings.http.port, settings.http.allow_open) == ("127.0.0.1", 8002, False)
    assert settings.store.synchronous == "FULL"
    assert not settings.http.key_in_path
    assert settings.http.cors_origins == ()
    assert settings.store_path == Path(".reme/memory.db")
    assert settings.ignored == ()


def test_arguments_beat_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "reme.toml"
    file.write_text("[http]\nport = 1\nhost = '127.0.0.2'\nworkers = 3\n[store]\ncache_mb = 8\n")
    monkeypatch.setenv("REME_HTTP__PORT", "2")
    monkeypatch.setenv("REME_HTTP__HOST", "127.0.0.3")
    settings = load_settings(["http.port=3"], config=file)
    assert (settings.http.port, settings.http.host, settings.http.workers) == (3, "127.0.0.3", 3)
    assert settings.store.cache_mb == 8
    assert settings.origins["http.port"] == "argument"
    assert settings.origins["http.host"] == "environment"
    assert settings.origins["http.workers"] == "file"
    assert settings.origins["store.backend"] == "default"
    assert set(settings.origins) == set(setting_names())


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    document = {"http": {"port": 9000, "cors_origins": ["https://a.example"]}, "working_dir": str(tmp_path)}
    file = tmp_path / "reme.yaml"
    file.write_text(yaml.safe_dump(document))
    settings = load_settings(config=file)
    assert settings.http.cors_origins == ("https://a.example",)
    assert settings.data_dir == tmp_path / ".reme"


def test_an_empty_file_is_no_setting(tmp_path: Path) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text("")
    assert load_settings(config=file).model_dump() == Settings().model_dump()


@pytest.mark.parametrize("text", ["a, b,c", '["a","b","c"]'])
def test_lists_are_json_or_names_with_commas(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings([f"log.mask={text}"]).log.mask == ("a", "b", "c")
    monkeypatch.setenv("REME_LOG__MASK", text)
    assert load_settings().log.mask == ("a", "b", "c")


def test_null_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(["log.file=null", "search.half_life_days=null"]).log.file is None
    monkeypatch.setenv("REME_SEARCH__HALF_LIFE_DAYS", "30")
    assert load_settings().search.half_life_days == 30
    assert load_settings(["search.half_life_days=null"]).search.half_life_days is None


def test_constructing_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_HTTP__PORT", "1")
    assert Settings().http.port == 8002


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


def test_what_means_something_else_here_is_named_not_obeyed() -> None:
    settings = load_settings(["vector_store.default.backend=qdrant", "backend=mcp"])
    assert settings.store.backend == "sqlite"
    assert settings.ignored == ("vector_store.default.backend", "backend")


def test_upstreams_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "FLOW_LLM_API_KEY": "sk-canary",
        "LLM_BASE_URL": "x",
        "EMBEDDING_API_KEY": "sk-canary",
        "REME_HOST": "0.0.0.0",  # noqa: S104
        "REME_PORT": "2333",
        "REME_COMPAT_REPR": "1",
        "REME_HTPP__PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.http.host, settings.http.port, settings.compat.repr) == ("0.0.0.0", 2333, True)  # noqa: S104
    assert settings.ignored == ("EMBEDDING_API_KEY", "FLOW_LLM_API_KEY", "LLM_BASE_URL", "REME_HTPP__PORT")
    assert "sk-canary" not in repr(settings) + str(settings.ignored)


def test_our_own_name_beats_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_PORT", "1")
    monkeypatch.setenv("REME_HTTP__PORT", "2")
    assert load_settings().http.port == 2
    assert load_settings(["service.port=3"]).http.port == 3
    assert load_settings(["service.port=3", "http.port=4"]).http.port == 4


def test_the_requirements_configuration_file_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "cloud.yaml"
    file.write_text(
        "database: {journal_mode: WAL, synchronous: NORMAL}\n"
        "logging: {provider: aliyun_sls, fields_to_mask: [api_key, phone]}\n"
        "storage: {type: local}\n"
    )
    settings = load_settings(config=file)
    assert settings.store.synchronous == "NORMAL"
    assert settings.log.mask == ("api_key", "phone")
    assert settings.ignored == ("database.journal_mode", "logging.provider", "storage.type")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("http.prot=1", ["http.prot", "did you mean http.port?"]),
        ("nonsense=1", ["nonsense", "the settings are", "http.port"]),
        ("http.port", ["'http.port' is not a setting", "key=value"]),
        ("http.port=abc", ["http.port", "'abc'", "integer"]),
        ("http.port=99999", ["http.port", "65535"]),
        ("store.synchronous=OFF", ["store.synchronous", "FULL"]),
        ("http.cors_origins=[broken", ["http.cors_origins"]),
        ("http=1", ["http", "not a setting"]),
    ],
)
def test_a_wrong_argument_is_refused_with_a_remedy(argument: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings([argument])
    for word in words:
        assert word in refusal.value.message


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("reme.ini", "", "neither .toml nor .yaml"),
        ("reme.toml", "[http", "malformed"),
        ("reme.yaml", "- a", "table"),
        ("reme.yaml", "http: {prot: 1}", "did you mean http.port?"),
        ("reme.yaml", "a: &x [*x", "malformed"),
        ("reme.yaml", "a: &x {b: *x}", "contains itself"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(SettingsError, match=words.replace(".", r"\.").replace("?", r"\?")):
        load_settings(config=file)


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(config=tmp_path / "missing.toml")
    file = tmp_path / "huge.toml"
    file.write_text("#" * 1_000_001)
    with pytest.raises(SettingsError, match="larger than"):
        load_settings(config=file)


def test_an_unknown_nested_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_HTTP__PROT", "1")
    assert load_settings().ignored == ("REME_HTTP__PROT",)


def test_workers_receive_what_the_parent_had(tmp_path: Path) -> None:
    settings = load_settings([f"working_dir={tmp_path}", "http.workers=2", "log.file=x.log", "log.mask=a,b"])
    text = settings.hand_over()
    assert json.loads(text)["http"]["workers"] == 2
    assert receive_settings(text).model_dump() == settings.model_dump()


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.http.port = 1
