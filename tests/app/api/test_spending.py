"""What models cost, its caps and its ledger under /v1."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.times import write_moment
from app.api.v1.resources import UsageOut
from app.api.v1.spending import LedgerPage, SpendingOut
from app.backends.clock import SystemClock
from app.domain.access import DEFAULT_TENANT
from app.domain.spending import LedgerEntry, Payer
from tests.app.api.world import services_of

pytestmark = pytest.mark.usefixtures("midday")

WS = "/v1/workspaces/team:one"
PAYER = Payer(tenant_id=DEFAULT_TENANT, workspace_id="team:one", key_id="k1", operation="extract")


def settle(client: TestClient, usd: str | None, *, number: int = 0, payer: Payer = PAYER) -> None:
    services_of(client).store.ledger.settle(
        LedgerEntry(
            id=f"{number:032x}",
            at_ms=SystemClock().now_ms(),
            payer=payer,
            task="personal",
            model="gpt-4o-mini",
            input_tokens=100,
            output_tokens=20,
            cached_tokens=10,
            usd=None if usd is None else Decimal(usd),
        )
    )


def test_spending_is_told_by_day_and_month(client: TestClient) -> None:
    settle(client, "0.000000000001", number=1)
    settle(client, "1.5", number=2)
    settle(client, None, number=3)
    settle(client, "7", number=4, payer=replace(PAYER, workspace_id="team:two"))
    answer = client.get(f"{WS}/spending").json()
    SpendingOut.model_validate(answer)
    day, month = answer["periods"]
    assert (day["period"], month["period"]) == ("day", "month")
    assert day["begins_at"] >= month["begins_at"]
    assert month["begins_at"].endswith("-01T00:00:00.000Z")
    for period in (day, month):
        assert period["begins_at"] < write_moment(SystemClock().now_ms()) < period["ends_at"]
        assert (period["spent_usd"], period["cap_usd"], period["left_usd"], period["own"]) == (
            "1.500000000001",
            None,
            None,
            False,
        )


def test_a_workspace_is_given_caps_and_loses_them(client: TestClient) -> None:
    settle(client, "0.3")
    answer = client.put(f"{WS}/spending", json={"daily_usd": 0.1, "monthly_usd": "10"}).json()
    SpendingOut.model_validate(answer)
    assert [(each["cap_usd"], each["left_usd"], each["own"]) for each in answer["periods"]] == [
        ("0.1", "0", True),
        ("10", "9.7", True),
    ]
    assert client.get(f"{WS}/spending").json() == answer
    again = client.put(f"{WS}/spending", json={"daily_usd": None}).json()
    assert [(each["cap_usd"], each["own"]) for each in again["periods"]] == [(None, False)] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [{"daily_usd": -1}, {"daily_usd": "much"}, {"daily_usd": 1e9}, {"monthly_usd": 1e-13}, {"weekly_usd": 1}, []],
)
def test_a_cap_that_cannot_be(client: TestClient, body: Any) -> None:
    answer = client.put(f"{WS}/spending", json=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert [each["own"] for each in client.get(f"{WS}/spending").json()["periods"]] == [False, False]


def test_the_ledger_is_read_in_pages_and_outlives_its_workspace(client: TestClient) -> None:
    client.post("/v1/workspaces", json={"id": "team:one"})
    for number in range(5):
        settle(client, None if number == 2 else "0.25", number=number)
    assert client.delete(WS).status_code == 200
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(3):
        page = client.get(f"{WS}/ledger", params={"limit": 2, "cursor": cursor}).json()
        LedgerPage.model_validate(page)
        found += page["items"]
        cursor = page["next_cursor"]
    assert cursor == ""
    assert [int(entry["id"], 16) for entry in found] == list(range(5))
    assert [entry["usd"] for entry in found] == ["0.25", "0.25", None, "0.25", "0.25"]
    assert {(entry["key_id"], entry["operation"], entry["task"], entry["cached_tokens"]) for entry in found} == {
        ("k1", "extract", "personal", 10)
    }
    assert client.get(f"{WS}/ledger", params={"until": found[0]["at"]}).json()["items"] == []
    assert len(client.get(f"{WS}/ledger", params={"since": found[0]["at"]}).json()["items"]) == 5


@pytest.mark.parametrize("query", ["cursor=nonsense", "since=1 o'clock", "limit=0", "limit=1001"])
def test_a_page_that_cannot_be(client: TestClient, query: str) -> None:
    answer = client.get(f"{WS}/ledger?{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_use_shows_what_the_ledger_knows(client: TestClient) -> None:
    settle(client, "0.25")
    client.post(f"{WS}/memories", json={"type": "task", "content": "abc"})
    report = client.get("/v1/usage").json()
    UsageOut.model_validate(report)
    (line,) = [line for line in report["lines"] if line["task"]]
    assert (line["task"], line["input_tokens"], line["cached_tokens"], line["cost_usd"]) == ("personal", 100, 10, 0.25)
    assert report["cost_usd"] == 0.25
