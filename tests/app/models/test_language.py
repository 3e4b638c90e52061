"""A language model: what it asks, what it makes of answers, and what it counts."""

import logging
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from subprocess import run
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from app.backends.models.choices import ModelChoice
from app.backends.models.language import OpenAILanguageModel, open_language_model
from app.domain.language import ModelTask
from app.domain.usage import TokenUsage
from app.errors import MalformedAnswer, ModelError, ModelRefused, ModelUnavailable, SettingsError
from tests.app.models.conftest import SCHEMA, VALUE, prompt
from tests.servers.waiting import PATIENCE_S, wait_until
from tests.standin import KEY, Fault, ModelServer, model_server

Ask = Callable[..., OpenAILanguageModel]


def formats(server: ModelServer) -> list[str]:
    """The response formats that were asked for."""
    return [(call.body.get("response_format") or {"type": "none"})["type"] for call in server.calls]


def test_text_and_json(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.script(VALUE, containing="Find memories")
    answer = language.complete(prompt())
    assert (answer.value, answer.model, answer.usage) == (VALUE, "small", server.usage)
    plain = language.complete(prompt(schema={}, system="", user="你好"))
    assert (plain.text, plain.value) == ("You said: 你好", None)
    first, second = (call.body for call in server.calls)
    assert first["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (first["temperature"], first["max_tokens"]) == (0.6, 4096)
    assert "response_format" not in second
    assert [message["role"] for message in second["messages"]] == ["user"]


def test_each_task_has_its_model(server: ModelServer) -> None:
    choices = {
        task: ModelChoice(model_name=f"for-{task}", api_base=server.address, api_key=KEY)
        for task in (ModelTask.TASK, ModelTask.RERANK)
    }
    model = open_language_model(choices)
    assert [model.model_of(task) for task in ModelTask] == ["", "for-task", "", "for-rerank", ""]
    assert model.complete(prompt(task=ModelTask.RERANK, schema={})).model == "for-rerank"
    with pytest.raises(ModelUnavailable, match=r"llm\.personal\.model_name"):
        model.complete(prompt())
    assert [call.body["model"] for call in server.calls] == ["for-rerank"]
    model.close()


def test_tokens_are_those_that_the_provider_billed(server: ModelServer, ask: Ask) -> None:
    """Over calls that fail, are asked again, and are given up: to the token."""
    server.cached_share = 0.5
    server.script(VALUE)
    model = ask()
    for fault in (Fault.WRONG_SCHEMA, Fault.CUT_OFF, Fault.SERVER_ERROR, Fault.FILTERED, Fault.BROKEN_VALUE):
        server.fail(fault, after=1)
    counted = TokenUsage()
    for number in range(8):
        try:
            counted += model.complete(prompt(f"number {number}")).usage
        except ModelError as error:
            counted += error.usage
    assert counted == server.usage
    assert counted.cached_tokens > 0
    assert server.untold == TokenUsage()


def test_without_usage_tokens_are_estimated(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.fail(Fault.MISSING_USAGE)
    answer = language.complete(prompt("我住在杭州abcd", system="", schema={}))
    assert answer.usage == TokenUsage(input_tokens=5 + 2, output_tokens=5 + 4)


def test_a_complaint_comes_with_the_next_question(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.script("I found nothing, sorry", {"memories": "none"}, VALUE)
    assert language.complete(prompt()).value == VALUE
    asked = [call.body["messages"][-1]["content"] for call in server.calls]
    assert asked[0] == "I live in Lisbon"
    assert "it holds no JSON" in asked[1]
    assert 'does not fit its schema: type "array"' in asked[2]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
def test_a_provider_is_given_the_time_it_asks_for(server: ModelServer, ask: Ask, form: str) -> None:
    begun_s, begun = monotonic(), datetime.now(UTC)
    moment = (begun + timedelta(seconds=2)).replace(microsecond=0)
    server.fail(
        Fault.RATE_LIMITED,
        retry_after={"seconds": "1", "milliseconds": "", "date": format_datetime(moment, usegmt=True)}[form],
        retry_after_ms="1000" if form == "milliseconds" else "",
    )
    ask().complete(prompt(schema={}))
    first, second = server.calls
    earliest_s = begun_s + (moment - begun).total_seconds() if form == "date" else first.at_s + 1.0
    assert second.at_s > earliest_s - 0.1


def test_a_wait_beyond_the_deadline_is_given_up_at_once(server: ModelServer, ask: Ask) -> None:
    server.fail(Fault.RATE_LIMITED, times=None, retry_after="3600")
    with pytest.raises(ModelUnavailable, match=r"asks to wait 3600\.0 s"):
        ask().complete(prompt())
    assert len(server.calls) == 1


def test_an_account_without_credit_is_not_asked_again(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.fail(Fault.RATE_LIMITED, times=None, code="insufficient_quota")
    with pytest.raises(ModelRefused, match="top up"):
        language.complete(prompt())
    assert len(server.calls) == 1


def test_requests_wait_for_their_minute(server: ModelServer, ask: Ask) -> None:
    model = ask(requests_per_minute=2, deadline_s=30.0)
    for task in (ModelTask.TASK, ModelTask.TOOL):
        model.complete(prompt(task=task, schema={}))
    with pytest.raises(ModelUnavailable, match="2 requests a minute"):
        model.complete(prompt(task=ModelTask.PERSONAL, schema={}))
    assert len(server.calls) == 2


def test_a_format_that_is_refused_is_not_asked_for_again(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.script(VALUE)
    server.fail(Fault.BAD_FORMAT)
    for _ in range(2):
        assert language.complete(prompt()).value == VALUE
    assert formats(server) == ["json_schema", "json_object", "json_object"]
    server.fail(Fault.BAD_FORMAT, times=None)
    for _ in range(2):
        assert language.complete(prompt()).value == VALUE
    assert formats(server)[3:] == ["json_object", "none", "none"]
    assert all("JSON schema" in call.body["messages"][0]["content"] for call in server.calls)


def test_a_refusal_of_another_kind_changes_nothing(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.script(VALUE)
    server.fail(Fault.BAD_REQUEST, times=3)
    with pytest.raises(ModelRefused):
        language.complete(prompt())
    server.fail(Fault.BAD_REQUEST, code="context_length_exceeded")
    with pytest.raises(ModelRefused, match="context_length_exceeded"):
        language.complete(prompt())
    language.complete(prompt())
    assert formats(server)[3:] == ["json_schema", "json_schema"]


@pytest.mark.parametrize(
    ("structured", "expected"), [("json_schema", "json_schema"), ("json_object", "json_object"), ("none", "none")]
)
def test_a_format_that_is_set_stays(server: ModelServer, ask: Ask, structured: str, expected: str) -> None:
    model = ask(structured=structured)
    server.script(VALUE)
    model.complete(prompt())
    server.fail(Fault.BAD_REQUEST)
    with pytest.raises(ModelRefused):
        model.complete(prompt())
    assert formats(server) == [expected, expected]


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            {"max_tokens": None, "max_completion_tokens": 4096},
        ),
        ("Unsupported value: 'temperature' does not support 0.6 with this model.", {"temperature": None}),
        ("parameter.enable_thinking must be set to false for non-streaming calls", {"enable_thinking": False}),
    ],
)
def test_parameters_that_a_model_does_not_know(
    server: ModelServer, language: OpenAILanguageModel, message: str, changed: dict[str, Any]
) -> None:
    server.script(VALUE)
    server.fail(Fault.BAD_REQUEST, message=message)
    for _ in range(2):
        assert language.complete(prompt()).value == VALUE
    assert len(server.calls) == 3
    for call in server.calls[1:]:
        assert {name: call.body.get(name) for name in changed} == changed
        assert call.body["response_format"]["type"] == "json_schema"


def test_half_a_surrogate_pair_is_sent_as_a_question_mark(server: ModelServer, language: OpenAILanguageModel) -> None:
    assert language.complete(prompt("broken \ud83d text", schema={})).text == "You said: broken ? text"


def test_many_threads_ask_at_once(server: ModelServer, ask: Ask) -> None:
    model = ask()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: model.complete(prompt(f"number {number}", schema={})), range(64)))
    assert [answer.text for answer in answers] == [f"You said: number {number}" for number in range(64)]
    assert sum((answer.usage for answer in answers), TokenUsage()) == server.usage


def test_closing_ends_what_is_under_way(server: ModelServer, ask: Ask) -> None:
    model = ask(timeout_s=600.0, deadline_s=600.0)
    server.fail(Fault.HANG, times=None)
    ended: list[str] = []

    def complete() -> None:
        try:
            model.complete(prompt())
        except ModelUnavailable as error:
            ended.append(error.message)

    threads = [Thread(target=complete) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(server.calls) == 3, "three calls")
    model.close()
    model.close()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(ended) == 3
    with pytest.raises(ModelUnavailable, match="closing"):
        model.complete(prompt())


def test_closing_ends_a_wait_between_attempts(server: ModelServer, ask: Ask) -> None:
    model = ask(deadline_s=600.0)
    server.fail(Fault.RATE_LIMITED, times=None, retry_after="300")
    failed: list[type[Exception]] = []

    def complete() -> None:
        try:
            model.complete(prompt())
        except ModelError as error:
            failed.append(type(error))

    thread = Thread(target=complete)
    thread.start()
    wait_until(lambda: bool(server.calls), "a call")
    sleep(0.1)  # for it to be refused; if it is not by then, closing ends the call itself
    model.close()
    thread.join(PATIENCE_S)
    assert failed == [ModelUnavailable]


def test_a_redirect_takes_no_key_along(server: ModelServer, language: OpenAILanguageModel) -> None:
    with model_server() as elsewhere:
        server.fail(Fault.REDIRECT, location=f"{elsewhere.address}/chat/completions")
        with pytest.raises(ModelRefused, match="redirects are not followed"):
            language.complete(prompt())
        assert not elsewhere.calls


SECRETS = (KEY, "Ana lives in Lisbon", "an operator's own words")


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    "fault", [Fault.UNAUTHORISED, Fault.SERVER_ERROR, Fault.WRONG_SCHEMA, Fault.DROPPED], ids=lambda fault: fault.name
)
def test_neither_keys_nor_texts_are_told(
    server: ModelServer, ask: Ask, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    language = ask()
    server.script({"unasked": SECRETS[1]})
    server.fail(fault, times=None, message=" ".join(SECRETS), code=" ".join(SECRETS))
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError) as caught:
        language.complete(prompt(SECRETS[1], system=SECRETS[2]))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(language) + repr(language._choices)
    assert not [secret for secret in SECRETS if secret in told]


def test_a_server_of_one_s_own_needs_no_key() -> None:
    with model_server(key="none") as own:
        model = open_language_model({ModelTask.TASK: ModelChoice(model_name="own", api_base=own.address)})
        assert model.complete(prompt(task=ModelTask.TASK, schema={})).text.startswith("You said")
        model.close()


def test_the_environment_s_accounts_are_left_out(
    server: ModelServer, language: OpenAILanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer another")
    assert language.complete(prompt(schema={})).text.startswith("You said")
    assert len(server.calls) == 1


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    "api_base", ["http://a..b/v1", f"http://{'a' * 70}.invalid/v1", "http://host.invalid:99999/v1"]
)
def test_a_host_of_no_such_form(ask: Ask, api_base: str) -> None:
    with pytest.raises((ModelError, SettingsError), match="api_base"):
        ask(api_base=api_base).complete(prompt())


def test_proxies_of_no_use(language: OpenAILanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://me:hunter2@proxy")
    with pytest.raises(ModelRefused, match="proxies") as caught:
        language.complete(prompt())
    assert "hunter2" not in caught.value.message


def test_opening_imports_no_client_and_starts_no_thread() -> None:
    probe = """
import sys, threading
from app.backends.models.language import open_language_model
from app.backends.models.choices import ModelChoice
from app.domain.language import ModelTask
model = open_language_model({ModelTask.TASK: ModelChoice(model_name="m")})
assert not {"openai", "httpx2"} & set(sys.modules)
assert threading.active_count() == 1
model.close()
"""
    assert run([sys.executable, "-c", probe], check=False).returncode == 0


def test_a_malformed_answer_is_given_up_after_three(server: ModelServer, language: OpenAILanguageModel) -> None:
    server.script("no")
    with pytest.raises(MalformedAnswer, match="holds no JSON") as caught:
        language.complete(prompt())
    assert len(server.calls) == 3
    assert caught.value.usage == server.usage
