"""What a node of the vector store is told at its start, on any cloud."""

from collections.abc import Mapping

import pulumi

from infra.machine_watching import watch_machine
from infra.service.configuration import DATADOG_SECRET
from infra.service.qdrant_start import QdrantNode, write_node_user_data
from infra.service.rendering import encode_user_data
from infra.settings import StackSettings
from infra.vector_nodes import NodeStart
from sizing.instances import instances
from sizing.plan import RegionPlan

QDRANT_SECRET = "qdrant"  # noqa: S105 - a name
_SERVICES = {"aws": "ec2", "alicloud": "ecs"}


def choose_secrets(secret_arns: Mapping[str, pulumi.Output[str]]) -> dict[str, pulumi.Output[str]]:
    """Those of a stack's secrets that a node reads, by their names."""
    return {name: arn for name, arn in secret_arns.items() if name in (QDRANT_SECRET, DATADOG_SECRET)}


def tell_node(
    start: NodeStart,
    *,
    plan: RegionPlan,
    settings: StackSettings,
    secret_arns: Mapping[str, pulumi.Output[str]],
    bucket: pulumi.Input[str],
    image: str,
    agent_configuration: str = "",
    monitored: bool = False,
) -> pulumi.Output[str]:
    """A node's user data, base64, known once the addresses are.

    `secret_arns` are the stack's, `bucket` is where snapshots go, `image` is Qdrant's; the others as of `QdrantNode`.
    """
    spec = plan.vector_store
    found = instances(plan.cloud, _SERVICES[plan.cloud])
    memory_gb = next(each.memory_gb for each in found if each.name == spec.instance_class)

    def write(known: dict[str, str]) -> str:
        node = QdrantNode(
            cloud=plan.cloud,
            spec=spec,
            number=start.number,
            name=start.place.name,
            first_name=start.first_name,
            cluster_name=start.cluster_name,
            address=start.place.address,
            region=settings.region,
            memory_gb=memory_gb,
            image=image,
            volume_id=known["volume"],
            key_source=known[f"secret {QDRANT_SECRET}"],
            authority_certificate_arn=known["certificate"],
            authority_key_arn=known["authority"],
            bucket=known["bucket"],
            agent_configuration=agent_configuration,
            monitored=monitored,
            datadog=watch_machine(plan, settings, known),
        )
        return encode_user_data(write_node_user_data(node), cloud=plan.cloud)

    return pulumi.Output.all(
        volume=start.volume_id,
        certificate=start.authority.certificate_arn,
        authority=start.authority.key_arn,
        bucket=bucket,
        **{f"secret {name}": arn for name, arn in choose_secrets(secret_arns).items()},
    ).apply(write)
