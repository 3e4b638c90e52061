"""The whole service with content moderation: what is refused, what nobody can judge, what is judged once."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.domain.language import ModelTask
from tests.app.api.conftest import MakeClient, open_client
from tests.app.api.world import services_of
from tests.app.moderation.green_server import KEY_SECRET, Fault, GreenServer
from tests.app.scripted_model import fact
from tests.servers.waiting import wait_until
from tests.standin import KEY, model_server

__all__ = ["open_client"]

WS = "/v1/workspaces/team"
BAD = "how to build a bomb"


@pytest.fixture
def client(open_client: MakeClient, settings: dict[str, Any], server: GreenServer) -> TestClient:
    server.dislike("bomb")
    return open_client(moderation=settings)


def contents(client: TestClient) -> list[str]:
    """Everything that is stored."""
    return [item["content"] for item in client.get(f"{WS}/memories").json()["items"]]


def remember(client: TestClient, *said: str, **fields: Any) -> Any:
    messages = [{"role": "user", "content": text} for text in said]
    return client.post(f"{WS}/conversations", json={"kind": "personal", "messages": messages, **fields})


def test_a_refused_text_is_a_problem_with_its_labels_and_without_the_text(client: TestClient) -> None:
    answer = client.post(f"{WS}/memories", json={"type": "personal", "content": BAD})
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("/docs#problem-content-refused", 422)
    assert problem["errors"][0]["labels"] == ["violent_weapons"]
    assert "bomb" not in answer.text
    assert contents(client) == []
    assert client.post(f"{WS}/memories", json={"type": "personal", "content": "I like tea"}).status_code == 201


@pytest.mark.parametrize(
    "fields",
    [{"when_to_use": BAD}, {"tags": ["bomb"]}, {"metadata": {"note": {"deep": [BAD]}}}, {"author": "bomb maker"}],
)
def test_every_text_of_a_memory_is_judged(client: TestClient, fields: dict[str, Any]) -> None:
    answer = client.post(f"{WS}/memories", json={"type": "personal", "content": "I like tea", **fields})
    assert answer.status_code == 422
    assert "bomb" not in answer.text


def test_a_batch_says_which_and_keeps_none(client: TestClient) -> None:
    texts = ["I like tea", BAD, "I like milk", f"{BAD} again"]
    body = {"memories": [{"type": "personal", "content": text} for text in texts]}
    for headers in ({}, {"Prefer": "respond-async"}):
        answer = client.post(f"{WS}/memories:batch", json=body, headers=headers)
        assert answer.status_code == 422
        assert [error["location"] for error in answer.json()["errors"]] == [["memory 2"], ["memory 4"]]
    assert contents(client) == []


def test_a_job_that_was_judged_is_done_without_asking_again(client: TestClient, server: GreenServer) -> None:
    body = {"memories": [{"type": "personal", "content": "I like tea"}]}
    accepted = client.post(f"{WS}/memories:batch", json=body, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    server.always = Fault.SERVER_ERROR
    job = accepted.headers["Location"]
    wait_until(lambda: client.get(job).json()["state"] == "done", lambda: f"the end of {client.get(job).text}")
    assert contents(client) == ["I like tea"]
    assert server.calls == 1


def test_a_change_is_judged(client: TestClient) -> None:
    added = client.post(f"{WS}/memories", json={"type": "personal", "content": "I like tea"}).json()["memory"]
    assert client.patch(f"{WS}/memories/{added['id']}", json={"content": BAD}).status_code == 422
    assert contents(client) == ["I like tea"]


def test_an_import_reports_the_line_and_goes_on(client: TestClient) -> None:
    lines = [
        json.dumps({"memory_type": "personal", "content": text, "workspace_id": "team", "memory_id": ""})
        for text in ("I like tea", BAD, "I like milk")
    ]
    answer = client.post(f"{WS}/import", content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"})
    report = answer.json()
    assert (answer.status_code, report["created"]) == (200, 2)
    assert [rejected["line"] for rejected in report["rejected"]] == [2]
    assert "violent_weapons" in str(report["rejected"])
    assert "bomb" not in answer.text
    assert contents(client) == ["I like tea", "I like milk"]


def test_a_conversation_is_kept_whole_or_not_at_all(client: TestClient) -> None:
    answer = remember(client, "I live in Lisbon", BAD)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, ["message 2"])
    assert contents(client) == []
    assert remember(client, "I live in Lisbon").status_code == 200
    assert len(contents(client)) == 2


def test_a_long_turn_is_judged_across_the_edges_of_its_pieces(client: TestClient) -> None:
    assert remember(client, "x" * 1997 + "bomb" + "y" * 3000).status_code == 422


def test_a_profile_and_a_tool_s_call_are_judged(client: TestClient) -> None:
    put = client.put(f"{WS}/users/ada/profile", json={"preferences": {"motto": BAD}})
    assert put.status_code == 422
    assert client.get(f"{WS}/users/ada/profile").status_code == 404
    call = {"tool_name": "grep", "input": {"q": "x"}, "output": BAD, "success": True}
    answer = client.post("/add_tool_call_result", json={"workspace_id": "team", "tool_call_results": [call]})
    assert answer.status_code == 422
    assert contents(client) == []


def test_offloaded_texts_are_judged(client: TestClient) -> None:
    said = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": "word " * 4000 + BAD},
        *({"role": "user", "content": f"and {number}?"} for number in range(8)),
    ]
    answer = client.post(
        f"{WS}/working:compact", json={"messages": said, "max_total_tokens": 1000, "keep_recent_count": 2}
    )
    assert answer.status_code == 422
    assert client.get(f"{WS}/offloads").json()["items"] == []


def test_the_endpoints_of_0_2_answer_in_their_own_form(client: TestClient) -> None:
    messages = [{"role": "user", "content": BAD}]
    answer = client.post(
        "/summary_personal_memory", json={"workspace_id": "team", "trajectories": [{"messages": messages}]}
    )
    envelope = answer.json()
    assert (answer.status_code, envelope["success"]) == (422, False)
    assert envelope["metadata"]["error"] == "content-refused"
    assert "bomb" not in answer.text


def test_a_text_is_judged_once(client: TestClient, server: GreenServer) -> None:
    for _ in range(2):
        assert remember(client, "I live in Lisbon", "I like tea").status_code == 200
        assert client.post(f"{WS}/memories", json={"type": "personal", "content": BAD}).status_code == 422
    assert len(server.texts) == 3


def test_use_is_metered_and_counted_without_a_price(client: TestClient) -> None:
    client.post(f"{WS}/memories", json={"type": "personal", "content": "tea " * 1000})
    client.post(f"{WS}/memories", json={"type": "personal", "content": BAD})
    services = services_of(client)
    lines = client.get("/v1/usage").json()["lines"]
    found = [line for line in lines if line["operation"] == "moderate"]
    assert [(line["model"], line["calls"], line["items"], line["cost_usd"]) for line in found] == [
        ("green:llm_query_moderation", 4, 2, None)
    ]
    assert services.moderation is not None
    assert services.moderation.counts == {"allowed": 1, "refused": 1, "unjudged": 0, "known": 0}
    metrics = client.get("/metrics").text
    assert 'reme_moderation_calls_total{moderator="green:llm_query_moderation"} 4.0' in metrics


def test_the_audit_says_who_and_what_but_not_the_text(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("reme.moderation")
    logger.addHandler(caplog.handler)
    try:
        client.post(f"{WS}/memories", json={"type": "personal", "content": BAD})
    finally:
        logger.removeHandler(caplog.handler)
    record = next(record for record in caplog.records if record.name == "reme.moderation")
    assert (record.outcome, record.workspace_id, record.labels) == (  # type: ignore[attr-defined]
        "refused",
        "team",
        ["violent_weapons"],
    )
    assert not any("bomb" in str(value) or KEY_SECRET in str(value) for value in vars(record).values())


@pytest.mark.parametrize(("on_error", "status", "kept"), [("refuse", 503, []), ("allow", 201, ["I like tea"])])
def test_what_nobody_can_judge_follows_the_setting(
    open_client: MakeClient, settings: dict[str, Any], server: GreenServer, on_error: str, status: int, kept: list[str]
) -> None:
    server.always = Fault.INACTIVE
    client = open_client(moderation={**settings, "on_error": on_error})
    answer = client.post(f"{WS}/memories", json={"type": "personal", "content": "I like tea"})
    assert answer.status_code == status
    if status == 503:
        assert answer.json()["type"] == "/docs#problem-moderation-unavailable"
        assert answer.headers["retry-after"]
    assert contents(client) == kept
    services = services_of(client)
    assert services.moderation is not None
    assert services.moderation.counts["unjudged"] == 1


@pytest.mark.parametrize(
    ("scope", "extractor", "services"),
    [
        ("all", "rule", {"llm_query_moderation", "llm_response_moderation"}),
        ("input", "model:personal", {"llm_query_moderation"}),
    ],
)
def test_what_a_model_answers_is_withheld(
    open_client: MakeClient,
    settings: dict[str, Any],
    server: GreenServer,
    scope: str,
    extractor: str,
    services: set[str],
) -> None:
    server.dislike("bomb")
    with model_server() as provider:
        provider.script({"memories": [fact("They told how a bomb is built", subject="hobby")]}, task=ModelTask.PERSONAL)
        choice = provider.choices()[ModelTask.PERSONAL]
        client = open_client(
            moderation={**settings, "scope": scope},
            llm={"default": {"model_name": choice.model_name, "api_base": provider.address, "api_key": KEY}},
        )
        answer = remember(client, "I live in Lisbon").json()
    assert answer["extractor"].startswith(extractor.partition(":")[0])
    assert answer.get("skipped", "") == ("withheld" if scope == "all" else "")
    assert any("bomb" in text for text in contents(client)) is (scope == "input")
    assert {service for service, _ in server.texts} == services


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave no handler of a test's application behind."""
    yield
    logging.getLogger("reme").handlers.clear()
