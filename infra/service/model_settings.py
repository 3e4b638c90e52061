"""The settings of the models: embeddings, language models by task, and who judges texts."""

from collections import Counter
from collections.abc import Iterator

from infra.service.providers import find_api_base, find_weights
from infra.tables import read_table
from sizing.models import TASKS, models
from sizing.plan import ModelsSpec, RegionPlan
from sizing.regions import regions


def configure_embedding(plan: RegionPlan) -> Iterator[tuple[str, object]]:
    """The provider of vectors, or the weights on this machine."""
    spec = plan.models
    if spec.embedding_mode != "remote":
        yield "embedding.backend", "sentence_transformers"
        yield "embedding.model_name", find_weights(spec.embedding)
        yield "embedding.device", "cuda" if spec.embedding_mode == "local-gpu" else "cpu"
        yield "embedding.dimensions", spec.dimensions
        return
    yield "embedding.backend", "openai_compatible"
    yield "embedding.model_name", spec.embedding
    yield "embedding.api_base", find_api_base(spec.embedding, plan.cloud, plan.region)
    yield "embedding.dimensions", spec.dimensions
    yield "embedding.batch_texts", spec.texts_per_call
    most_tokens = models()[spec.embedding].tokens_per_call
    if most_tokens is not None:
        yield "embedding.batch_tokens", most_tokens


def usual_model(spec: ModelsSpec) -> str:
    """The model that most tasks have; of equals, that of the first task."""
    return Counter(spec.tasks[task] for task in TASKS).most_common(1)[0][0]


def configure_language(plan: RegionPlan) -> Iterator[tuple[str, object]]:
    """The usual model as the default, and for a task of another model what differs."""
    usual = usual_model(plan.models)
    usual_base = find_api_base(usual, plan.cloud, plan.region)
    yield "llm.default.model_name", usual
    yield "llm.default.api_base", usual_base
    for task in TASKS:
        model = plan.models.tasks[task]
        if model == usual:
            continue
        yield f"llm.{task}.model_name", model
        base = find_api_base(model, plan.cloud, plan.region)
        if base != usual_base:
            yield f"llm.{task}.api_base", base


def configure_moderation(plan: RegionPlan) -> Iterator[tuple[str, object]]:
    """Content moderation with the role of the machine; what nobody can judge is refused."""
    region = find_moderation_region(plan)
    if region:
        yield "moderation.backend", "green"
        yield "moderation.on_error", "refuse"
        yield "moderation.region", region


def find_moderation_region(plan: RegionPlan) -> str:
    """The region whose Content Moderation judges a stack's texts: its own, or another one where it has no endpoint.

    On Alibaba Cloud in mainland China alone (requirements §10.2); empty elsewhere.
    """
    place = regions().get((plan.cloud, plan.region))
    if plan.cloud != "alicloud" or place is None or place.jurisdiction != "cn":
        return ""
    judging = [row["region"] for row in read_table("moderation_regions.csv")]
    return plan.region if plan.region in judging else judging[0]
