"""The size of every component of a region in a few words."""

from sizing.messages import Language, render
from sizing.plan import RegionPlan
from sizing.selection import show as show_figure


def describe_sizes(region: RegionPlan, language: Language) -> list[tuple[str, str, str]]:
    """Return component, choice and size for every component of a region, in reading order."""
    return [
        ("compute", _compute_choice(region), _compute(region, language)),
        ("database", region.database.engine, _database(region, language)),
        ("vector_store", f"{region.vector_store.engine} ({region.vector_store.placement})", _vectors(region, language)),
        ("object_store", region.object_store.kind, _objects(region, language)),
        ("cache", region.cache.engine, _cache(region, language)),
        ("balancer", region.balancer.kind, _balancer(region, language)),
        ("network", f"NAT: {region.network.nat}", _network(region, language)),
        ("monitoring", region.monitoring.kind, _monitoring(region, language)),
        ("llm", ", ".join(dict.fromkeys(region.models.tasks.values())), _models(region, language)),
        ("embedding", region.models.embedding, _embedding(region, language)),
    ]


def _say(code: str, language: Language, **values: object) -> str:
    return render(f"report.{code}", language, values)


def _compute_choice(region: RegionPlan) -> str:
    return f"{region.compute.architecture}{', ' + region.compute.gpu if region.compute.gpu else ''}"


def _compute(region: RegionPlan, language: Language) -> str:
    spec = region.compute
    text = _say(
        "nodes", language, nodes=spec.nodes, instance=spec.instance_class, vcpu=spec.vcpu, memory=f"{spec.memory_gb:g}"
    )
    if spec.data_disk_gb:
        text += ", " + _say("disk", language, gb=spec.data_disk_gb)
    return text


def _database(region: RegionPlan, language: Language) -> str:
    spec = region.database
    if spec.engine == "sqlite":
        return _say("database-sqlite", language, gb=spec.storage_gb)
    zones = _say("two-zones", language) if spec.multi_zone else ""
    if spec.edition == "serverless":
        units = f"{spec.capacity_units:g}"
        return _say("database-serverless", language, units=units, gb=spec.storage_gb, zones=zones)
    return _say("database-instance", language, instance=spec.instance_class, gb=spec.storage_gb, zones=zones)


def _vectors(region: RegionPlan, language: Language) -> str:
    spec = region.vector_store
    vectors = f"{spec.vectors:,.0f}"
    if spec.placement == "embedded":
        return _say("vectors-embedded", language, vectors=vectors, dimensions=spec.dimensions)
    if spec.placement == "own-nodes":
        return _say(
            "vectors-nodes",
            language,
            nodes=spec.nodes,
            instance=spec.instance_class,
            disk=spec.disk_gb,
            vectors=vectors,
            dimensions=spec.dimensions,
            copies=spec.replication_factor,
        )
    memory = show_figure(spec.memory_needed_gb)
    return _say("vectors-shared", language, vectors=vectors, dimensions=spec.dimensions, memory=memory)


def _objects(region: RegionPlan, language: Language) -> str:
    spec = region.object_store
    return _say(
        "objects",
        language,
        gb=show_figure(spec.capacity_gb),
        archive=spec.archive_after_days,
        delete=spec.delete_after_days,
    )


def _cache(region: RegionPlan, language: Language) -> str:
    if not region.cache.nodes:
        return _say("local", language)
    return _say("cache-nodes", language, nodes=region.cache.nodes, node=region.cache.node_class)


def _balancer(region: RegionPlan, language: Language) -> str:
    if region.balancer.kind == "none":
        return _say("none", language)
    return _say("balancer-zones", language, zones=region.balancer.zones, rules=region.balancer.waf_rules)


def _network(region: RegionPlan, language: Language) -> str:
    spec = region.network
    return _say("network-nat", language, zones=spec.zones, gateways=spec.nat_gateways, addresses=spec.public_addresses)


def _monitoring(region: RegionPlan, language: Language) -> str:
    return _say("alarms", language, alarms=region.monitoring.alarms, metrics=region.monitoring.metrics)


def _models(region: RegionPlan, language: Language) -> str:
    tokens = show_figure(region.load.llm_tokens_per_month / 1e6)
    return _say("models-size", language, tokens=tokens, models=", ".join(dict.fromkeys(region.models.tasks.values())))


def _embedding(region: RegionPlan, language: Language) -> str:
    tokens = show_figure(region.load.embedding_tokens_per_month / 1e6)
    return _say(
        "embedding-size", language, tokens=tokens, model=region.models.embedding, dimensions=region.models.dimensions
    )
