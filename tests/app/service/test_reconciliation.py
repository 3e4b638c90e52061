"""What the ledger says against what a provider billed, over real HTTP, to the token."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

from app.backends.models.embedding import OpenAIEmbeddingModel
from app.backends.models.language import open_language_model
from app.domain.language import ModelTask, Prompt
from app.domain.memory import JsonObject
from app.domain.spending import charging
from app.domain.usage import NO_TOKENS, TokenUsage
from app.errors import ModelError, SpendCapReached
from app.service.embedding_cache import CachingEmbedder
from app.service.metered_models import MeteredEmbedder, MeteredModel
from tests.app.service.conftest import Bench
from tests.app.service.test_metered_models import PAYER, PRICED, entries, make_till
from tests.standin import KEY, Fault, model_server

TIMEOUT_S, DEADLINE_S = 60.0, 180.0
"""Limits that an answer on a busy machine keeps."""
LIMITS = {"timeout_s": TIMEOUT_S, "deadline_s": DEADLINE_S}
SCHEMA: JsonObject = {"type": "object", "properties": {"kept": {"type": "string"}}, "required": ["kept"]}
MAX_TOKENS = 200


def sum_ledger(bench: Bench) -> TokenUsage:
    return sum(
        (
            TokenUsage(input_tokens=one.input_tokens, output_tokens=one.output_tokens, cached_tokens=one.cached_tokens)
            for one in entries(bench)
        ),
        start=NO_TOKENS,
    )


def test_the_ledger_is_the_providers_bill(bench: Bench) -> None:
    """Good answers, malformed ones that are asked again, refusals, overload; language and embeddings."""
    with (
        model_server() as server,
        closing(open_language_model(server.choices(max_tokens=MAX_TOKENS, **LIMITS))) as language,
    ):
        server.cached_share = 0.25
        server.script({"kept": "tea"}, "this is no JSON", {"kept": "coffee"}, {"wrong": 1}, {"kept": "milk"})
        server.fail(Fault.RATE_LIMITED, on="chat", after=3, retry_after="0")
        till = make_till(bench)
        model = MeteredModel(language, till=till, max_tokens=dict.fromkeys(ModelTask, MAX_TOKENS))
        embeddings = OpenAIEmbeddingModel(
            model_name="text-embedding-3-small",
            api_base=server.address,
            api_key=KEY,
            dimensions=256,
            timeout_s=TIMEOUT_S,
            deadline_s=DEADLINE_S,
            query_deadline_s=DEADLINE_S,
        )
        with closing(embeddings):
            embedder = CachingEmbedder(MeteredEmbedder(embeddings, till=till), 100)
            for number in range(12):
                task = tuple(ModelTask)[number % len(ModelTask)]
                with charging(replace(PAYER, operation="extract" if number % 2 else "compress")):
                    try:
                        model.complete(Prompt(task=task, system="Keep.", user=f"I like {number} 茶", schema=SCHEMA))
                    except ModelError:
                        continue
            with charging(replace(PAYER, operation="add")):
                embedder.embed([f"text {number}" for number in range(20)] * 2)
            with charging(replace(PAYER, operation="retrieve")):
                embedder.embed_query("text 1")
                embedder.embed_query("text 1")
        assert server.usage.input_tokens > 0
        assert sum_ledger(bench) == server.usage
        assert sum(record.input_tokens for record in bench.store.meter.read("acme")) == server.usage.input_tokens


def test_a_cap_bounds_the_providers_bill(bench: Bench) -> None:
    cap_usd = Decimal("0.005")
    with model_server() as server:
        choices = server.choices(model_name=PRICED, max_tokens=MAX_TOKENS, **LIMITS)
        with closing(open_language_model(choices)) as language:
            till = make_till(bench, daily_usd=cap_usd)
            model = MeteredModel(language, till=till, max_tokens=dict.fromkeys(ModelTask, MAX_TOKENS))

            def ask(number: int) -> bool:
                with charging(PAYER):
                    try:
                        model.complete(Prompt(task=ModelTask.PERSONAL, system="Keep.", user=f"{number}" + "tea " * 500))
                    except SpendCapReached:
                        return False
                    return True

            with ThreadPoolExecutor(32) as threads:
                passed = sum(threads.map(ask, range(200)))
        billed = server.usage
        billed_usd = billed.input_tokens * Decimal("1.5e-7") + billed.output_tokens * Decimal("6e-7")
        assert 0 < passed < 200
        assert billed_usd == bench.store.ledger.spent_usd("acme", "w", since_ms=0) <= cap_usd
