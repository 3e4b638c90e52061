"""The plan's vector store in a stack: nodes of Qdrant, a search domain, somebody else's, or the database."""

import json

from infra.address_ranges import PLACES, cut_range
from infra.aws.agent import agent_configuration
from infra.aws.backup import BackupPlan
from infra.aws.foundation import Foundation
from infra.aws.qdrant_nodes import QdrantNodesArgs
from infra.aws.search_domain import SearchDomainArgs
from infra.aws.vector_store import make_vector_store
from infra.images import find_image
from infra.vector_endpoint import VectorEndpoint
from infra.vector_nodes import NodeSubnet
from infra.vector_start import choose_secrets, tell_node

SEARCH_SECRET = "elasticsearch"  # noqa: S105 - a name


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
        write_user_data=lambda start: tell_node(
            start,
            plan=plan,
            settings=settings,
            secret_arns=base.credentials.secret_arns,
            bucket=backup.dumps_bucket,
            image=find_image("qdrant"),
            agent_configuration=_write_agent(base),
        ),
        secret_arns=list(choose_secrets(base.credentials.secret_arns).values()),
        root_disk_gb=plan.compute.root_disk_gb,
        image_id=settings.service.vector_machine_image or None,
        kms_key_arn=base.keys.data_key_arn,
        tags=base.tags,
        protect=settings.protect,
        keeps_copies=settings.keeps_copies,
        snapshot_bucket_arn=backup.dumps_arn,
    )


def _write_agent(base: Foundation) -> str:
    """The CloudWatch agent's configuration, where that watches."""
    if base.plan.monitoring.kind != "cloud":
        return ""
    return json.dumps(agent_configuration(base.plan, stack=base.settings.stack, role="vectors"), sort_keys=True)
