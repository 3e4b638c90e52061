"""Instance and database classes of the requirements on the user's plan."""

from dataclasses import replace
from decimal import Decimal

from sizing.cost.alternatives import Subject, sum_lines
from sizing.cost.comparisons import ListKey, Option
from sizing.cost.quotations import explain, find_price, join, quote_option, say, write_usd
from sizing.cost.verdicts import Verdict, find_choice, name_clouds, places_of, price_hours, refuse_offer
from sizing.instances import Instance, instances
from sizing.messages import Language
from sizing.plan import ComputeSpec
from sizing.regions import CLOUDS

NODE_SERVICES = {"aws": "ec2", "alicloud": "ecs"}


def find_class(cloud: str, service: str, name: str) -> Instance | None:
    """Return what our table knows about a class, None where it does not know it."""
    return next((instance for instance in instances(cloud, service) if instance.name == name), None)


def plan_classes(subject: Subject) -> tuple[tuple[str, str], ...]:
    """Return cloud and class of the plan's nodes, each once, the primary region's first."""
    return tuple(dict.fromkeys((region.plan.cloud, region.plan.compute.instance_class) for region in subject.sized))


def judge_instance(subject: Subject, option: Option, language: Language) -> Verdict:
    """Judge a class as the machine that the service runs on."""
    known = find_class(option.cloud, NODE_SERVICES.get(option.cloud, ""), option.link)
    vcpu = known.vcpu if known else option.vcpu
    memory_gb = known.memory_gb if known else option.memory_gb
    places = places_of(subject)
    price = find_price(option.prices[0], places, subject.drawn.prices)
    monthly = price_hours(price.usd if price else None, option.nodes)
    size = say("class-size", language, vcpu=vcpu, gb=f"{memory_gb:g}") if vcpu else ""
    chosen = (option.cloud, option.link) in plan_classes(subject)
    if monthly is None:
        cost = say("class-unpriced", language, nodes=option.nodes)
    else:
        cost = say("class-cost", language, nodes=option.nodes, usd=write_usd(monthly))
    if chosen:
        nodes = sum(
            region.plan.compute.nodes
            for region in subject.sized
            if (region.plan.cloud, region.plan.compute.instance_class) == (option.cloud, option.link)
        )
        lines = [line for line in subject.spent_on("compute", "compute/node") if line.sku == option.link]
        spent = say("class-unpriced", language, nodes=nodes)
        if all(line.is_priced for line in lines):
            spent = say("class-cost", language, nodes=nodes, usd=write_usd(sum_lines(lines)))
        cost = join((cost, say("in-plan", language, cost=spent)), language)
    return Verdict(
        chosen=chosen,
        why=explain_instances(subject, language) if chosen else _refuse_instance(subject, option, known, language),
        workload=join((size, cost), language),
        list_price=quote_option(option, places, subject.drawn.prices, language),
        monthly_usd=monthly,
        partial=int(monthly is None),
    )


def explain_instances(subject: Subject, language: Language) -> str:
    """Say what the nodes must have, and which class is the cheapest that has it."""
    spec, tier = subject.sized[0].plan.compute, subject.drawn.tier
    return say(
        "why.instances",
        language,
        vcpu=tier.vcpu,
        gb=f"{needed_gb(spec, tier.memory_gb):g}",
        tier=tier.name,
        classes=", ".join(name for _, name in plan_classes(subject)),
        nodes=spec.nodes,
    )


def needed_gb(spec: ComputeSpec, floor_gb: float) -> float:
    """Return the RAM that a node must have: the tier's floor, or what the service needs."""
    return max(floor_gb, spec.memory_needed_gb)


def _refuse_instance(subject: Subject, option: Option, known: Instance | None, language: Language) -> str:
    if option.cloud not in CLOUDS:
        return refuse_offer(option, language)
    if option.cloud not in subject.clouds:
        return say("not.cloud", language, clouds=name_clouds(subject.clouds, language))
    spec = next(region.plan.compute for region in subject.sized if region.plan.cloud == option.cloud)
    tier = subject.drawn.tier
    vcpu = known.vcpu if known else option.vcpu
    memory_gb = known.memory_gb if known else option.memory_gb
    need = needed_gb(spec, tier.memory_gb)
    if vcpu and (vcpu < tier.vcpu or memory_gb < need):
        values = {"vcpu": vcpu, "gb": f"{memory_gb:g}", "floor": tier.vcpu, "need": f"{need:g}", "tier": tier.name}
        return say("not.small", language, **values)
    if known is None:
        return say("not.class", language)
    if known.gpu and not spec.gpu:
        return say("not.gpu", language)
    if known.architecture != spec.architecture:
        return say("not.architecture", language, architecture=spec.architecture)
    if known.burstable and not tier.burstable:
        return say("not.burstable", language, tier=tier.name)
    here = find_price(option.prices[0], places_of(subject), subject.drawn.prices)
    key = replace(option.prices[0], sku=spec.instance_class)
    there = find_price(key, places_of(subject), subject.drawn.prices)
    mine = price_hours(here.usd if here else None, spec.nodes)
    theirs = price_hours(there.usd if there else None, spec.nodes)
    if mine is None or theirs is None:
        return say("not.class-unpriced", language, name=spec.instance_class)
    values = {"nodes": spec.nodes, "usd": write_usd(mine), "name": spec.instance_class, "chosen": write_usd(theirs)}
    return say("not.dearer" if mine > theirs else "not.no-gain", language, **values)


def judge_database_class(subject: Subject, option: Option, language: Language) -> Verdict:
    """Judge a database class of the document beside the class that the plan takes."""
    places, prices = places_of(subject), subject.drawn.prices
    primary = subject.sized[0].plan.database
    zone = "multi-zone" if primary.multi_zone else "single-zone"
    key = next((key for key in option.prices if key.part == zone), option.prices[0])
    monthly = _price_class(key, subject)
    chosen = any(
        region.plan.cloud == option.cloud and region.plan.database.instance_class == option.name
        for region in subject.sized
    )
    cost = say("class-unpriced", language, nodes=1)
    if monthly is not None:
        cost = say("class-cost", language, nodes=1, usd=write_usd(monthly))
    size = say("class-size", language, vcpu=option.vcpu, gb=f"{option.memory_gb:g}") if option.vcpu else ""
    return Verdict(
        chosen=chosen,
        why=say("chosen-class", language) if chosen else _refuse_database(subject, option, monthly, language),
        workload=join((size, cost, say("database-alone", language)), language),
        list_price=quote_option(option, places, prices, language),
        monthly_usd=monthly,
        partial=int(monthly is None),
    )


def _price_class(key: ListKey, subject: Subject) -> Decimal | None:
    price = find_price(key, places_of(subject), subject.drawn.prices)
    return price_hours(price.usd if price else None)


def _refuse_database(subject: Subject, option: Option, monthly: Decimal | None, language: Language) -> str:
    if option.cloud not in CLOUDS:
        return refuse_offer(option, language)
    if option.cloud not in subject.clouds:
        return say("not.cloud", language, clouds=name_clouds(subject.clouds, language))
    choice = find_choice(subject, "database")
    if choice.chosen == "sqlite":
        rejection = next(rejected for rejected in choice.rejected if rejected.candidate == "postgresql")
        return say(f"force.{rejection.force}", language, reasons=explain(rejection.reasons, language))
    plan = next(region.plan for region in subject.sized if region.plan.cloud == option.cloud)
    spec = plan.database
    if spec.edition == "serverless":
        return say("not.provisioned-class", language, units=f"{spec.capacity_units:g}")
    sku = f"{spec.instance_class}:{'multi-az' if spec.multi_zone else 'single-az'}"
    chosen = _price_class(replace(option.prices[0], sku=sku), subject)
    if monthly is None or chosen is None:
        return say("not.class-unpriced", language, name=spec.instance_class)
    if option.memory_gb and option.memory_gb < spec.memory_needed_gb:
        values = {"gb": f"{option.memory_gb:g}", "need": f"{spec.memory_needed_gb:g}", "name": spec.instance_class}
        return say("not.database-small", language, **values)
    values = {
        "need": f"{spec.memory_needed_gb:g}",
        "name": spec.instance_class,
        "chosen": write_usd(chosen),
        "usd": write_usd(monthly),
    }
    return say("not.database", language, **values)
