"""The plan's vector store in a stack: nodes of Qdrant, somebody else's, or the database."""

from collections.abc import Sequence

import pulumi_alicloud as alicloud

from infra.alicloud.backup import BackupPlan
from infra.alicloud.foundation import Foundation
from infra.alicloud.qdrant_nodes import QdrantNodes, QdrantNodesArgs
from infra.errors import InvalidStack
from infra.facts import QDRANT_GRPC_PORT, QDRANT_PORT
from infra.images import find_image
from infra.vector_endpoint import VectorEndpoint, find_managed
from infra.vector_nodes import NodeSubnet
from infra.vector_start import choose_secrets, tell_node


def place_vectors(base: Foundation, backup: BackupPlan) -> VectorEndpoint:
    """Make the vector store. Its nodes' disks are backed up, and their snapshots go to the bucket of dumps.

    Raises MissingSetting where vectors are with a provider and its address is not given, and InvalidStack for a server
    that this cloud has no nodes of.
    """
    settings, spec = base.settings, base.plan.vector_store
    if spec.placement == "managed":
        return find_managed(spec, settings.service.vector_url)
    if spec.placement != "own-nodes":
        return VectorEndpoint(engine=spec.engine)
    if spec.engine != "qdrant":
        raise InvalidStack(
            "workload.overrides.vector_store",
            spec.engine,
            "qdrant, qdrant-cloud or pgvector for a cluster on Alibaba Cloud",
        )
    nodes = QdrantNodes("vectors", _describe_nodes(base, backup))
    backup.cover_disks(nodes.disk_ids)
    return VectorEndpoint(
        engine=spec.engine,
        url=nodes.url,
        authority_arn=nodes.authority_certificate_arn,
        security_group_id=nodes.security_group_id,
        ports=(QDRANT_PORT, QDRANT_GRPC_PORT),
        instance_ids=nodes.instance_ids,
        disk_ids=nodes.disk_ids,
    )


def _describe_nodes(base: Foundation, backup: BackupPlan) -> QdrantNodesArgs:
    settings, plan, network = base.settings, base.plan, base.network
    return QdrantNodesArgs(
        spec=plan.vector_store,
        region=settings.region,
        account=base.account,
        vpc_id=network.vpc_id,
        cidr=network.cidr,
        subnets=_list_subnets(base)[: plan.network.zones],
        client_cidrs=network.private_cidrs,
        write_user_data=lambda start: tell_node(
            start,
            plan=plan,
            settings=settings,
            secret_arns=base.credentials.secret_arns,
            bucket=backup.dumps_bucket,
            image=find_image("qdrant", settings.service.image_mirror),
            monitored=plan.monitoring.kind == "cloud",
        ),
        secret_arns=list(choose_secrets(base.credentials.secret_arns).values()),
        root_disk_gb=plan.compute.root_disk_gb,
        image_id=settings.service.vector_machine_image or None,
        kms_key_id=base.keys.data_key_id,
        kms_key_arn=base.keys.data_key_arn,
        key_instance_id=settings.key_instance_id,
        tags=base.tags,
        protect=settings.protect,
        keeps_copies=settings.keeps_copies,
        snapshot_bucket_arn=backup.dumps_arn,
    )


def _list_subnets(base: Foundation) -> Sequence[NodeSubnet]:
    """The private vSwitches; those that were there already are looked up."""
    network, given = base.network, base.settings.network.private_subnet_ids
    if not base.settings.network.vpc_id:
        return [
            NodeSubnet(id=subnet, cidr=cidr, zone_name=zone)
            for subnet, cidr, zone in zip(
                network.private_subnet_ids, network.private_cidrs, network.zone_names, strict=True
            )
        ]
    found = {each.id: each for each in alicloud.vpc.get_switches(ids=list(given)).vswitches}
    if missing := [each for each in given if each not in found]:
        raise InvalidStack("network.private_subnet_ids", missing, f"vSwitches of {base.settings.region}")
    return [NodeSubnet(id=each, cidr=found[each].cidr_block, zone_name=found[each].zone_id) for each in given]
