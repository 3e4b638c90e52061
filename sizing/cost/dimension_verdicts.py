"""Vector sizes of the requirements on the user's workload: storage, RAM of the index, cost of the plan."""

from sizing.cost.alternatives import Subject
from sizing.cost.comparisons import Option
from sizing.cost.model_verdicts import quote_model
from sizing.cost.quotations import explain, join, say, write_delta
from sizing.cost.verdicts import Verdict, describe
from sizing.footprint import Footprint, measure, service_ram_mb, vector_bytes
from sizing.messages import Language
from sizing.models import Model, models
from sizing.plan import Reason
from sizing.stores import vectors_ram_gb
from sizing.workload import LOCAL_EMBEDDING

MB_PER_GB = 1000.0
DEFAULT_DIMENSIONS = 1024


def judge_dimensions(subject: Subject, option: Option, language: Language) -> Verdict:
    """Judge a number of dimensions: bytes a vector, storage and RAM of all, and the plan's cost with it."""
    dimensions = int(option.link)
    workload = subject.drawn.workload
    chosen = dimensions == workload.dimensions
    able = _able_models(subject, dimensions)
    loads = [
        measure(workload.point("expected"), dimensions=dimensions, share=region.plan.share) for region in subject.sized
    ]
    engine, width = subject.drawn.chosen("vector_store"), vector_bytes(dimensions)
    size = say(
        "dimension-size",
        language,
        bytes=f"{width:,.0f}",
        vectors=f"{sum(load.vectors_gb for load in loads):,.4g}",
        database=f"{sum(load.database_gb for load in loads):,.4g}",
        ram=f"{sum(index_ram_gb(engine, load) for load in loads):,.4g}",
        engine=engine,
    )
    alternative = subject.with_dimensions(dimensions)
    cannot = bool(alternative.problems) or not able
    if chosen:
        why = explain_dimensions(subject, language)
    elif cannot:
        problems = alternative.problems or (Reason(code="tables.not.no-model", values={"dimensions": str(dimensions)}),)
        why = say("force.cannot", language, reasons=explain(problems, language))
    else:
        delta = write_delta(alternative.delta_usd) if alternative.delta_usd is not None else ""
        names = ", ".join(model.name for model in able)
        why = join((say("not.dimensions", language, usd=delta), say("made-by", language, models=names)), language)
    prices = [quote_model(subject, model, ("",), language) for model in able if model.provider != "local"]
    return Verdict(
        chosen=chosen,
        why=why,
        workload=join((size, "" if cannot else describe(alternative, language)), language),
        list_price=join(prices, language) or say("no-price-key", language),
        monthly_usd=None if cannot else alternative.total_usd,
        delta_usd=None if cannot else alternative.delta_usd,
        partial=alternative.unknown,
        cannot=cannot,
    )


def index_ram_gb(engine: str, load: Footprint) -> float:
    """RAM of the index of all vectors of a region, GB per copy, by the vector store's own formula.

    ``engine`` is a candidate or its engine. Memory mode keeps everything, the others what
    ``sizing.stores.vectors_ram_gb`` says. Error: that of each formula there.
    """
    if engine != "memory":
        named = "qdrant" if engine.startswith("qdrant") else engine
        return vectors_ram_gb(named, load.memories, load.dimensions)
    with_index, without = (
        service_ram_mb(
            workers=1,
            memories=load.memories,
            dimensions=load.dimensions,
            index_in_memory=inside,
            index_local=False,
            model_ram_gb=0.0,
        )
        for inside in (True, False)
    )
    return (with_index - without) / MB_PER_GB


def explain_dimensions(subject: Subject, language: Language) -> str:
    """Say why vectors have this size."""
    dimensions = subject.drawn.workload.dimensions
    code = "why.dimensions-default" if dimensions == DEFAULT_DIMENSIONS else "why.dimensions-wished"
    return say(code, language, dimensions=dimensions)


def _able_models(subject: Subject, dimensions: int) -> list[Model]:
    local = subject.drawn.workload.embedding != "remote"
    return [
        model
        for model in models().values()
        if model.kind == "embedding" and model.supports(dimensions) and (model.name == LOCAL_EMBEDDING or not local)
    ]
