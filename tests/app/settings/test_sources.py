"""Where settings come from, which wins, and what is refused and how."""

import json
from pathlib import Path

import pytest
import yaml

from app.errors import SettingsError
from app.settings import Settings, load_settings, receive_settings, setting_names


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


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("http.prot=1", ["http.prot", "did you mean http.port?"]),
        ("nonsense=1", ["nonsense", "the settings are", "http.port"]),
        ("llm.default.modle_name=x", ["did you mean llm.default.model_name?"]),
        ("working_memory.hot_day=1", ["did you mean working_memory.hot_days?"]),
        ("llm=x", ["llm", "not a setting"]),
        ("spending.workspace_daily_usd=-1", ["workspace_daily_usd", "greater than or equal to 0"]),
        ("mcp.path=mcp", ["mcp.path", "pattern"]),
        ("working_memory.delete_after_days=20", ["archive_after_days=30, delete_after_days=20"]),
        ("embedding.backend=openai_compatible", ["needs model_name and api_base"]),
        ("llm.default.api_base=dashscope", ["llm.default.api_base", "https://"]),
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
        ("reme.yaml", "[" * 100_000, "nested too deep"),
        ("reme.toml", f"a = {'[' * 100_000}", "nested too deep"),
        ("reme.yaml", "a: !!int ''", "a bad value"),
        ("reme.yaml", "a: !!bool maybe", "a bad value"),
        ("reme.yaml", f"http: {{port: 0x{'f' * 6000}}}", "a bad value"),
        ("reme.toml", f"[log]\nmask = [0x{'f' * 6000}]", "a bad value"),
        ("reme.yaml", "a: &a {}\nb: [" + "*a," * 21 + "]", "more than 20 aliases"),
        ("reme.yaml", f"log: {{mask: '{'[' * 100_000}'}}", "nested too deep"),
        ("reme.yaml", 'working_dir: "a\\0b"', "without NUL"),
        ("reme.yaml", 'log: {file: "\\ud800"}', "in UTF-8"),
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


def test_a_reference_is_filled_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text("http: {port: '${PORT_OF_TODAY}'}\nworking_dir: /srv/${PLACE}/x\n")
    monkeypatch.setenv("PORT_OF_TODAY", "9001")
    monkeypatch.setenv("PLACE", "here")
    settings = load_settings(config=file)
    assert (settings.http.port, settings.working_dir) == (9001, Path("/srv/here/x"))
    assert load_settings(["log.file=${PLACE}"]).log.file == Path("${PLACE}"), "a shell has filled arguments already"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sk-canary-${NO_SUCH_VARIABLE}", "the environment variable NO_SUCH_VARIABLE, which is not set"),
        ("sk-canary-${NOT:-here}", "names no variable"),
    ],
)
def test_a_reference_to_nothing_is_refused_without_the_value(tmp_path: Path, value: str, words: str) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text(yaml.safe_dump({"llm": {"default": {"params": {"api_key": value}}}}))
    with pytest.raises(SettingsError, match=words) as refusal:
        load_settings(config=file)
    assert "llm.default.params.api_key" in refusal.value.message
    assert "canary" not in refusal.value.message


def test_a_reference_in_what_is_not_used_needs_no_variable(tmp_path: Path) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text("storage: {params: {account_key: '${NO_SUCH_VARIABLE}'}}\n")
    assert load_settings(config=file).ignored == ("storage.params.account_key",)


@pytest.mark.parametrize("text", ["embedding:\n", "llm: {default: }\n", "http: {}\n"])
def test_an_empty_section_says_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "reme.yaml"
    file.write_text(text)
    assert load_settings(config=file) == load_settings()


def test_three_levels_are_read_from_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "reme.toml"
    file.write_text("[llm.task]\nmodel_name = 'of the file'\n")
    monkeypatch.setenv("REME_LLM__PERSONAL__MODEL_NAME", "of the variable")
    settings = load_settings(["llm.default.model_name=of the argument"], config=file)
    names = (settings.llm.task.model_name, settings.llm.personal.model_name, settings.llm.default.model_name)
    assert names == ("of the file", "of the variable", "of the argument")
    assert settings.sources["llm.task.model_name"] == f"file {file}"
    assert settings.sources["llm.personal.model_name"] == "variable REME_LLM__PERSONAL__MODEL_NAME"
    assert settings.sources["llm.default.model_name"] == "argument"
