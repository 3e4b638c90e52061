"""The plan's vector store in a stack: nodes of Qdrant, a search domain, somebody else's, or the database."""

import json

import pulumi

from infra.address_ranges import PLACES, cut_range
from infra.aws.agent import agent_configuration
from infra.aws.backup import BackupPlan
from infra.aws.foundation import Foundation
from infra.aws.qdrant_nodes import NodeStart, NodeSubnet, QdrantNodesArgs
from infra.aws.search_domain import SearchDomainArgs
from infra.aws.vector_store import VectorEndpoint, make_vector_store
from infra.images import find_image
from infra.machine_watching import watch_machine
from infra.service.configuration import DATADOG_SECRET
from infra.service.qdrant_start import QdrantNode, write_node_user_data
from infra.service.rendering import encode_user_data
from sizing.instances import instances

QDRANT_SECRET = "qdrant"  # noqa: S105 - a name
SEARCH_SECRET = "elasticsearch"  # noqa: S105


def place_vectors(base: Foundation, backup: BackupPlan) -> VectorEndpoint:
    """Make the vector store. Its nodes' disks are backed up, and their snapshots go to the bucket of dumps."""
    settings, spec = base.settings, base.plan.vector_store
    if spec.placement != "own-nodes":
        return make_vector_store("vectors", spec, managed_url=settings.service.vector_url)
    if spec.engine == "elasticsearch":
        return make_vector_store("vectors", spec, search=_describe_domain(base))
    endpoint = make_vector_store("vectors", spec, qdrant=_describe_nodes(base, backup))
    backup.cover_indexes(endpoint.volume_arns)
    return endpoint


def _describe_domain(base: Foundation) -> SearchDomainArgs:
    settings, plan = base.settings, base.plan
    return SearchDomainArgs(
        spec=plan.vector_store,
        region=settings.region,
        vpc_id=base.network.vpc_id,
        subnet_ids=base.network.data_subnet_ids,
        client_security_group_ids=(),
        password=base.credentials.values[SEARCH_SECRET],
        kms_key_arn=base.keys.data_key_arn,
        log_key_arn=base.keys.log_key_arn,
        log_days=plan.log_store.application_days,
        tags=base.tags,
        protect=settings.protect,
    )


def _describe_nodes(base: Foundation, backup: BackupPlan) -> QdrantNodesArgs:
    settings, plan, network = base.settings, base.plan, base.network
    ranges = cut_range(network.cidr)[PLACES : 2 * PLACES]
    return QdrantNodesArgs(
        spec=plan.vector_store,
        vpc_id=network.vpc_id,
        subnets=[
            NodeSubnet(id=subnet, cidr=ranges[place], zone_name=network.zone_names[place])
            for place, subnet in enumerate(network.private_subnet_ids[: plan.network.zones])
        ],
        client_security_group_ids=(),
        write_user_data=lambda start: _write_user_data(base, backup, start),
        secret_arns=[
            arn for name, arn in base.credentials.secret_arns.items() if name in (QDRANT_SECRET, DATADOG_SECRET)
        ],
        root_disk_gb=plan.compute.root_disk_gb,
        image_id=settings.service.vector_machine_image or None,
        kms_key_arn=base.keys.data_key_arn,
        tags=base.tags,
        protect=settings.protect,
        keeps_copies=settings.keeps_copies,
        snapshot_bucket_arn=backup.dumps_arn,
    )


def _write_user_data(base: Foundation, backup: BackupPlan, start: NodeStart) -> pulumi.Output[str]:
    spec = base.plan.vector_store
    agent = ""
    if base.plan.monitoring.kind == "cloud":
        agent = json.dumps(agent_configuration(base.plan, stack=base.settings.stack, role="vectors"), sort_keys=True)
    memory_gb = next(each.memory_gb for each in instances("aws", "ec2") if each.name == spec.instance_class)

    def write(known: dict[str, str]) -> str:
        return encode_user_data(
            write_node_user_data(
                QdrantNode(
                    spec=spec,
                    number=start.number,
                    name=start.place.name,
                    first_name=start.first_name,
                    cluster_name=start.cluster_name,
                    address=start.place.address,
                    region=base.settings.region,
                    memory_gb=memory_gb,
                    image=find_image("qdrant"),
                    volume_id=known["volume"],
                    key_source=known["key"],
                    authority_certificate_arn=known["certificate"],
                    authority_key_arn=known["authority"],
                    bucket=known["bucket"],
                    agent_configuration=agent,
                    datadog=watch_machine(base.plan, base.settings, known),
                )
            )
        )

    return pulumi.Output.all(
        volume=start.volume_id,
        key=base.credentials.secret_arns[QDRANT_SECRET],
        certificate=start.authority.certificate_arn,
        authority=start.authority.key_arn,
        bucket=backup.dumps_bucket,
        **{f"secret {name}": arn for name, arn in base.credentials.secret_arns.items() if name == DATADOG_SECRET},
    ).apply(write)
