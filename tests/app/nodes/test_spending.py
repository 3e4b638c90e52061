"""Money: a cap that one node was told binds the calls of all."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from app.backends.clock import SystemClock
from app.domain.access import DEFAULT_TENANT, LOCAL_ADMIN
from app.domain.language import ModelTask, Prompt
from app.domain.spending import Payer, charging
from app.domain.usage import TokenUsage
from app.errors import SpendCapReached
from app.service.metered_models import MeteredModel
from app.service.till import Till
from tests.app.api.world import services_of
from tests.app.nodes.conftest import Nodes
from tests.app.service.test_metered_models import PRICED, ScriptedModel

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.usefixtures("midday")]

WS = "/v1/workspaces/w/spending"
PAYER = Payer(tenant_id=DEFAULT_TENANT, workspace_id="w", key_id="k1", operation="extract")
PROMPT = Prompt(task=ModelTask.PERSONAL, system="Say it.", user="x" * 1000, schema={})
USAGE = TokenUsage(input_tokens=1000, output_tokens=100)
CALL_USD = Decimal("0.00021")
"""1,000 tokens in at 0.15 USD a million and 100 out at 0.60."""


class CountingModel(ScriptedModel):
    """Counts the same for every call."""

    def __init__(self) -> None:
        super().__init__(PRICED, *[USAGE] * 1000)


def model_of(client: TestClient) -> tuple[CountingModel, MeteredModel]:
    """A model, and the same behind the till of a node."""
    services = services_of(client)
    till = Till(ledger=services.store.ledger, spending=services.spending, meter=services.meter, clock=SystemClock())
    model = CountingModel()
    return model, MeteredModel(model, till=till, max_tokens=dict.fromkeys(ModelTask, 100))


def cap(client: TestClient) -> list[str | None]:
    return [period["cap_usd"] for period in client.get(WS).json()["periods"]]


def test_caps_are_seen_on_the_other_node_at_once(nodes: Nodes) -> None:
    one, other = nodes
    assert cap(other) == [None, None]
    assert one.put(WS, json={"daily_usd": "0.5"}).status_code == 200
    assert cap(other) == ["0.5", None]
    assert other.put(WS, json={"monthly_usd": "3"}).status_code == 200
    assert cap(one) == [None, "3"]


@pytest.mark.parametrize("period", ["daily_usd", "monthly_usd"])
def test_calls_of_both_nodes_at_once_never_pass_a_cap(nodes: Nodes, period: str) -> None:
    limit_usd = 40 * CALL_USD
    assert nodes[0].put(WS, json={period: str(limit_usd)}).status_code == 200
    models = [model_of(node) for node in nodes]

    def call(number: int) -> bool:
        with charging(PAYER):
            try:
                models[number % 2][1].complete(PROMPT)
            except SpendCapReached:
                return False
        return True

    with ThreadPoolExecutor(16) as threads:
        answered = sum(threads.map(call, range(96)))
    assert answered == sum(len(model.counted) for model, _ in models)
    spent = {services_of(node).spending.status(LOCAL_ADMIN, "w")[0].spent_usd for node in nodes}
    assert spent == {answered * CALL_USD}
    assert 0 < answered * CALL_USD <= limit_usd
    entries = nodes[1].get("/v1/workspaces/w/ledger", params={"limit": 100}).json()["items"]
    assert len(entries) == answered


def test_a_cap_that_is_lowered_on_one_node_stops_the_other(nodes: Nodes) -> None:
    one, other = nodes
    _, asked = model_of(other)
    with charging(PAYER):
        asked.complete(PROMPT)
        assert one.put(WS, json={"daily_usd": "0"}).status_code == 200
        with pytest.raises(SpendCapReached):
            asked.complete(PROMPT)
        assert one.put(WS, json={"daily_usd": None}).status_code == 200
        asked.complete(PROMPT)
