"""Language models and embedding models of the requirements on the user's workload."""

from collections.abc import Iterable

from sizing.billing.models import serving_region
from sizing.cost.alternatives import Subject, TokenCost, sum_lines
from sizing.cost.comparisons import ListKey, Option
from sizing.cost.quotations import explain, join, quote_key, quote_option, say, write_delta, write_usd
from sizing.cost.verdicts import Verdict, describe, places_of, region_of
from sizing.messages import Language
from sizing.models import TASKS, Model, models
from sizing.plan import Reason


def judge_language_model(subject: Subject, option: Option, language: Language) -> Verdict:
    """Judge a language model as if it did every task of every region."""
    model = models().get(option.link)
    if model is None:
        why = say("not.endpoint" if option.name == "custom-model" else "not.model", language)
        prices = quote_option(option, places_of(subject), subject.drawn.prices, language)
        return Verdict(chosen=False, why=why, workload=say("tokens-unpriced", language), list_price=prices)
    lines = subject.spent_on("llm")
    spent = sum_lines(lines)
    own = [line for line in lines if line.resource == f"llm/{model.name}"]
    cost = subject.tasks_with(model.name)
    tasks = _tasks_of(subject, model.name)
    delta = None if cost.total_usd is None else cost.total_usd - spent
    unknown = cost.unpriced + sum(not line.is_priced for line in lines)
    workload = _describe_tokens(cost, "tasks-cost", language)
    if tasks and set(tasks) != {(region.plan.key, task) for region in subject.sized for task in TASKS}:
        workload = join((workload, say("in-plan", language, cost=write_usd(sum_lines(own)))), language)
    refusal = _leaves(subject, model)
    served = say("served", language, places=", ".join(model.served_from))
    quality = model.quality_zh if language == "zh" else model.quality_en
    if tasks:
        where = ", ".join(dict.fromkeys(region for region, _ in tasks))
        does = ", ".join(say(f"task.{name}", language) for name in dict.fromkeys(task for _, task in tasks))
        reasons = (
            say("does", language, tasks=does, regions=where),
            explain_models(subject, language),
            served,
            _forced(refusal, language, chosen=True),
        )
        why = join(reasons, language)
    else:
        price = ""
        if delta is None:
            price = say("not.model-unpriced", language)
        else:
            price = say("not.model-delta", language, usd=write_delta(delta))
        why = join(
            (_forced(refusal, language, chosen=False), price, served, say("quality", language, quality=quality)),
            language,
        )
    return Verdict(
        chosen=bool(tasks),
        why=why,
        workload=workload,
        list_price=quote_model(subject, model, ("input", "output"), language),
        monthly_usd=cost.total_usd,
        delta_usd=delta,
        input_usd=cost.input_usd if cost.total_usd is not None else None,
        output_usd=cost.output_usd if cost.total_usd is not None else None,
        partial=unknown,
        cannot=any(force == "cannot" for force, _ in refusal),
    )


def judge_embedding_model(subject: Subject, option: Option, language: Language) -> Verdict:
    """Judge an embedding model for all tokens that the plan embeds; a local one as a change of the plan."""
    model = models().get(option.link)
    if model is not None and model.provider == "local":
        return _judge_local_model(subject, model, option, language)
    places = places_of(subject)
    if model is None:
        key = option.prices[0]
        prices = quote_option(option, places, subject.drawn.prices, language)
    else:
        key = _model_key(subject, model, "")
        prices = quote_key(key, places, subject.drawn.prices, language)
    cost = subject.embeddings_with(key)
    spent = sum_lines(subject.spent_on("embedding"))
    remote = subject.drawn.workload.embedding == "remote"
    delta = cost.total_usd - spent if cost.total_usd is not None and remote else None
    used = [region.plan.key for region in subject.sized if model and region.plan.models.embedding == model.name]
    reasons: list[str] = []
    cannot = False
    if model is None:
        reasons.append(say("not.model", language))
    else:
        if not model.supports(subject.drawn.workload.dimensions):
            cannot = True
            reasons.append(_refuse_dimensions(subject, model, language))
        refusal = _leaves(subject, model)
        cannot = cannot or any(force == "cannot" for force, _ in refusal)
        reasons.append(_forced(refusal, language, chosen=bool(used)))
    if used:
        reasons.insert(0, say("embeds", language, regions=", ".join(used)))
        reasons.append(explain_embedding(subject, language))
    elif cost.total_usd is None:
        reasons.append(say("not.model-unpriced", language))
    elif delta is not None:
        reasons.append(say("not.model-delta", language, usd=write_delta(delta)))
    if model is not None:
        reasons.append(say("served", language, places=", ".join(model.served_from)))
        if not used:
            quality = model.quality_zh if language == "zh" else model.quality_en
            reasons.append(say("quality", language, quality=quality))
    return Verdict(
        chosen=bool(used),
        why=join(reasons, language),
        workload=_describe_tokens(cost, "embedding-cost", language),
        list_price=prices,
        monthly_usd=cost.total_usd,
        delta_usd=delta,
        partial=cost.unpriced,
        cannot=cannot,
    )


def _judge_local_model(subject: Subject, model: Model, option: Option, language: Language) -> Verdict:
    used = subject.drawn.workload.embedding != "remote"
    prices = quote_option(option, places_of(subject), subject.drawn.prices, language)
    if not model.supports(subject.drawn.workload.dimensions):
        why = _refuse_dimensions(subject, model, language)
        return Verdict(chosen=used, why=why, workload=why, list_price=prices, cannot=not used)
    alternative = subject.with_local_embedding()
    why = explain_embedding(subject, language)
    if not used:
        why = describe(alternative, language)
        if alternative.delta_usd is not None:
            why = say("not.local", language, usd=write_delta(alternative.delta_usd))
    return Verdict(
        chosen=used,
        why=why,
        workload=describe(alternative, language),
        list_price=prices,
        monthly_usd=alternative.total_usd,
        delta_usd=alternative.delta_usd,
        partial=alternative.unknown,
        cannot=bool(alternative.problems),
    )


def explain_models(subject: Subject, language: Language) -> str:
    """Say why these models do the tasks."""
    workload = subject.drawn.workload
    wished = any(placement.request.llm for placement in subject.drawn.placements)
    if wished or any(task in workload.models for task in TASKS):
        return say("why.models-wished", language)
    if subject.drawn.tier.name == "multi-region":
        return say("why.models-regional", language)
    if places_of(subject)[0].jurisdiction == "cn":
        return say("why.models-china", language)
    return say("why.models-default", language)


def explain_embedding(subject: Subject, language: Language) -> str:
    """Say why this model embeds."""
    workload = subject.drawn.workload
    if workload.embedding != "remote":
        return say("why.embedding-local", language)
    wished = any(placement.request.embedding for placement in subject.drawn.placements)
    if wished or "embedding" in workload.models:
        return say("why.embedding-wished", language)
    if subject.drawn.tier.name == "multi-region" or places_of(subject)[0].cloud == "alicloud":
        return say("why.embedding-regional", language)
    return say("why.embedding-default", language)


def _tasks_of(subject: Subject, name: str) -> list[tuple[str, str]]:
    return [
        (region.plan.key, task) for region in subject.sized for task in TASKS if region.plan.models.tasks[task] == name
    ]


def _leaves(subject: Subject, model: Model) -> list[tuple[str, Reason]]:
    """Say for which region the text would leave the jurisdiction; in China that is refused (§10.2)."""
    found = []
    for region in subject.sized:
        place = region_of(region.plan).jurisdiction
        confined = subject.drawn.workload.residency is not None or region.plan.role == "isolated"
        if confined and place not in model.served_from and "local" not in model.served_from:
            values = {"model": model.name, "served": ", ".join(model.served_from), "place": place}
            reason = Reason(code="warning-residency", values=values, origin="§10.2")
            found.append(("cannot" if place == "cn" else "advice", reason))
    return found


def _forced(refusal: list[tuple[str, Reason]], language: Language, *, chosen: bool) -> str:
    if not refusal:
        return ""
    if chosen:
        return say("although", language, reasons=explain((reason for _, reason in refusal), language))
    force = "cannot" if any(force == "cannot" for force, _ in refusal) else "advice"
    return say(f"force.{force}", language, reasons=explain((reason for _, reason in refusal), language))


def _refuse_dimensions(subject: Subject, model: Model, language: Language) -> str:
    reason = Reason(
        code="tables.not.model-dimensions",
        values={
            "model": model.name,
            "supported": model.supported_dimensions.replace("|", ", "),
            "dimensions": str(subject.drawn.workload.dimensions),
        },
    )
    return say("force.cannot", language, reasons=explain((reason,), language))


def _model_key(subject: Subject, model: Model, way: str) -> ListKey:
    return ListKey(
        part=way or "tokens",
        provider=model.price_provider,
        service=model.kind,
        sku=f"{model.name}:{way}" if way else model.name,
        region=serving_region(places_of(subject)[0]),
    )


def quote_model(subject: Subject, model: Model, ways: Iterable[str], language: Language) -> str:
    places, prices = places_of(subject), subject.drawn.prices
    return join((quote_key(_model_key(subject, model, way), places, prices, language) for way in ways), language)


def _describe_tokens(cost: TokenCost, code: str, language: Language) -> str:
    if cost.total_usd is None:
        return say("tokens-unpriced", language)
    values = {
        "in_usd": write_usd(cost.input_usd),
        "out_usd": write_usd(cost.output_usd),
        "usd": write_usd(cost.total_usd),
    }
    text = say(code, language, **values)
    return text + say("partial", language, lines=cost.unpriced) if cost.unpriced else text
