"""Where the vectors are, on any cloud: on nodes of the stack, in a search domain, or with others."""

from dataclasses import dataclass

import pulumi

from infra.errors import MissingSetting
from sizing.plan import VectorStoreSpec


@dataclass(frozen=True, kw_only=True)
class VectorEndpoint:
    """How the service gets at its vectors.

    `url` is None where no server of their own has them (embedded, in the database) or it stands on the service's
    host; `user` is set where the server knows users rather than a key; `authority_arn` is the secret with
    the certificate that the service trusts it by, where that is the stack's own; `volume_arns` are disks to back up;
    `security_group_id` is that of servers of the stack's own, which the service calls at `ports`. `instance_ids` and
    `disk_ids` are those of Alibaba Cloud's own nodes, in their order, to be watched.
    """

    engine: str
    url: pulumi.Input[str] | None = None
    user: str | None = None
    authority_arn: pulumi.Output[str] | None = None
    volume_arns: tuple[pulumi.Input[str], ...] = ()
    security_group_id: pulumi.Input[str] | None = None
    ports: tuple[int, ...] = ()
    instance_ids: tuple[pulumi.Output[str], ...] = ()
    disk_ids: tuple[pulumi.Output[str], ...] = ()


def find_managed(spec: VectorStoreSpec, url: str) -> VectorEndpoint:
    """Vectors that are with a provider. Raises MissingSetting where its address is not given."""
    if not url:
        raise MissingSetting("service.vector_url", "a managed vector store is at it (with --path)")
    return VectorEndpoint(engine=spec.engine, url=url)
