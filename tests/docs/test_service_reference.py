"""The reference of the service says everything that the service has: routes, commands, settings, metrics, errors."""

import json
import re
from typing import Any

import click
import pytest

from app.api.openapi import list_problems
from app.commands.main import cli
from app.settings import UPSTREAM_NAMES, UPSTREAM_VARIABLES, load_settings, setting_names, variable_of
from tests.app.api.test_authorisation_matrix import ANY_KEY, PUBLIC, ROUTES, VECTOR_STORE
from tests.docs.pages import GUIDES, headings, read
from tools import api_permissions, service_pages
from tools.api_examples import EXAMPLES, V1, run_examples
from tools.api_fields import MEANINGS, explain
from tools.http_api_page import document, operations
from tools.reference_pages import walk_commands
from tools.settings_page import SETTING_MEANINGS
from tools.steady_text import WIDTH, lay_out

API = "docs/reference/http-api.md"
COMMANDS = {" ".join(names): command for names, command, _ in walk_commands(cli, ("reme",))}
PLACES = [(method, path, operation) for method, path, operation in operations()]
SCHEMAS: dict[str, Any] = document()["components"]["schemas"]


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next one of the same level or a higher one."""
    marks = re.search(rf"^(#+) {re.escape(title)}$", page, re.MULTILINE)
    assert marks is not None, f"no heading {title!r}"
    rest = page[marks.end() :]
    return re.split(rf"^#{{1,{len(marks[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


# --- HTTP API


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in PLACES])
def test_every_route_is_described_with_an_example(method: str, path: str) -> None:
    text = section(read(API), f"{method} {path}")
    operation = next(operation for *place, operation in PLACES if place == [method, path])
    assert f"Operation `{operation['operationId']}`." in text
    assert re.search(r"^Needs \S", text, re.MULTILINE)
    assert "```bash\ncurl -s" in text
    for status in operation["responses"]:
        assert status >= "400" or f"**{status}**" in text, status
    for parameter in operation.get("parameters", ()):
        assert f"| `{parameter['name']}` | {parameter['in']} |" in text
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for field in SCHEMAS.get(str(content["schema"].get("$ref", "")).rpartition("/")[2], {}).get("properties", {}):
            assert f"| `{field}` | body |" in text


def test_what_a_route_needs_is_what_the_matrix_of_roles_tries() -> None:
    words = {PUBLIC: api_permissions.PUBLIC, ANY_KEY: api_permissions.ANY_KEY, "metrics": api_permissions.SCRAPER}
    found = {(method, path): api_permissions.NEEDS[operation["operationId"]] for method, path, operation in PLACES}
    tried = {place: words.get(str(entry.needs), str(entry.needs)) for place, entry in ROUTES.items()}
    assert tried.pop(("POST", "/mcp")) == api_permissions.ANY_KEY  # its tools describe themselves to their clients
    assert found == tried
    assert set(api_permissions.EXCEPTIONS) <= {operation["operationId"] for *_, operation in PLACES}


def test_the_actions_of_the_vector_store_are_described() -> None:
    text = section(read(API), "POST /vector_store")
    for action, entry in VECTOR_STORE.items():
        assert f"`{action}`" in text
        assert f"`{entry.needs}`" in text


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_of_an_object_says_what_it_is(name: str) -> None:
    text = section(read(API), name)
    for field, schema in SCHEMAS[name].get("properties", {}).items():
        meaning = explain(name, field, schema)
        assert meaning, f"{name}.{field}: add it to tools/api_fields.py"
        assert any(
            line.startswith(f"| `{field}` |") and meaning.replace("\n", " ") in line for line in text.split("\n")
        )
    for value in SCHEMAS[name].get("enum", ()):
        assert f"`{value}`" in text


def test_no_meaning_is_left_over() -> None:
    fields = {field for schema in SCHEMAS.values() for field in schema.get("properties", {})}
    full = {f"{name}.{field}" for name, schema in SCHEMAS.items() for field in schema.get("properties", {})}
    parameters = {f"parameter.{each['name']}" for *_, operation in PLACES for each in operation.get("parameters", ())}
    assert not set(MEANINGS) - fields - full - parameters


def test_every_group_of_routes_has_a_heading() -> None:
    titles = [title for level, title in headings(read(API)) if level == 2]
    assert titles[2:7] == ["ReMe 0.2", "A few jobs of ReMe 0.4", "/v1", "Probes", "Pages"]


def test_every_example_is_of_a_route_and_steady() -> None:
    places = {(method, path) for method, path, _ in PLACES}
    assert {(example.method, example.path) for example in EXAMPLES} == places
    first = run_examples()
    assert set(first) == places
    assert first == run_examples()
    assert json.loads(first["GET", V1].answer)["id"] == "demo"
    assert all(shown.status < 300 for shown in first.values())


def test_json_is_laid_out_within_the_width() -> None:
    document = {"short": [1, 2], "long": [{"text": "x" * 60, "n": 1}, {"text": "y" * 60, "n": 2}], "none": {}}
    text = lay_out(document)
    assert json.loads(text) == document
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert '  "short": [1, 2],' in text.splitlines()


# --- commands, settings, metrics, log, errors


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name: str) -> None:
    text = section(read("docs/reference/service-cli.md"), name)
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help text"
            for flag in (*parameter.opts, *parameter.secondary_opts):
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text), f"{name} {flag}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if not isinstance(COMMANDS[name], click.Group)])
def test_every_command_is_shown_in_a_guide(name: str) -> None:
    assert any(re.search(rf"\b{name}\b", read(guide)) for guide in GUIDES)


def test_every_setting_has_its_row() -> None:
    text = read("docs/reference/settings.md")
    assert set(SETTING_MEANINGS) == set(setting_names())
    for name in setting_names():
        assert f"| `{name}` | `{variable_of(name)}` | `" in text
    for theirs in (*UPSTREAM_NAMES, *UPSTREAM_VARIABLES):
        assert f"| `{theirs}` | `" in text


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [("http.max_body_bytes", "2048", 2048), ("log.mask", "a,b", ("a", "b")), ("search.half_life_days", "null", None)],
)
def test_a_variable_is_read_as_the_page_says(
    variable: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of(variable), text)
    section, _, name = variable.partition(".")
    assert getattr(getattr(load_settings(), section), name) == value


def test_every_metric_and_label_is_listed() -> None:
    text = read("docs/reference/metrics-and-logs.md")
    found = service_pages.list_metrics()
    assert len(found) >= 10
    for name, kind, labels, meaning in found:
        assert re.search(rf"^\| `{name}` \| {kind} \|.*{re.escape(meaning)}", text, re.MULTILINE)
        assert set(labels) <= set(service_pages.METRIC_LABELS)
    used = {label for _, _, labels, _ in found for label in labels}
    assert used == set(service_pages.METRIC_LABELS)


def test_every_field_of_a_log_line_is_listed() -> None:
    fields = set(service_pages.sample_log_line())
    assert fields == set(service_pages.LOG_FIELDS) - {"error", "traceback"}


def test_every_error_is_listed() -> None:
    text = read("docs/reference/service-errors.md")
    found = service_pages.list_errors()
    assert len(found) >= 16
    for error in found:
        assert re.search(rf"^\| `{error.__name__}` \| {error.status} \| `{error.slug}` \|", text, re.MULTILINE)
    for slug in list_problems():
        assert f"`{slug}`" in text
