"""Where the vectors are: on nodes of the stack, in a search domain, or with others."""

from dataclasses import dataclass

import pulumi

from infra.aws.qdrant_nodes import QdrantNodes, QdrantNodesArgs
from infra.aws.search_domain import SearchDomain, SearchDomainArgs
from infra.aws.traffic import HTTPS_PORT
from infra.errors import MissingSetting
from infra.facts import QDRANT_GRPC_PORT, QDRANT_PORT
from sizing.plan import VectorStoreSpec


@dataclass(frozen=True, kw_only=True)
class VectorEndpoint:
    """How the service gets at its vectors.

    `url` is None where no server of their own has them (embedded, in the database) or it stands on the service's
    host; `user` is set where the server knows users rather than a key; `authority_arn` is the secret with
    the certificate that the service trusts it by, where that is the stack's own; `volume_arns` are disks to back up;
    `security_group_id` is that of servers of the stack's own, which the service calls at `ports`.
    """

    engine: str
    url: pulumi.Input[str] | None = None
    user: str | None = None
    authority_arn: pulumi.Output[str] | None = None
    volume_arns: tuple[pulumi.Input[str], ...] = ()
    security_group_id: pulumi.Input[str] | None = None
    ports: tuple[int, ...] = ()


def find_vector_server(spec: VectorStoreSpec) -> type[QdrantNodes] | type[SearchDomain] | None:
    """The component that a plan's vector store needs; None where the stack makes none for it."""
    if spec.placement != "own-nodes":
        return None
    return SearchDomain if spec.engine == "elasticsearch" else QdrantNodes


def make_vector_store(
    name: str,
    spec: VectorStoreSpec,
    *,
    qdrant: QdrantNodesArgs | None = None,
    search: SearchDomainArgs | None = None,
    managed_url: str = "",
    opts: pulumi.ResourceOptions | None = None,
) -> VectorEndpoint:
    """Make what the plan's vector store needs, of the arguments that fit it, and say where it is.

    Raises MissingSetting where vectors are with a provider and its address is not given.
    """
    if spec.placement == "managed":
        if not managed_url:
            raise MissingSetting("service.vector_url", "a managed vector store is at it (with --path)")
        return VectorEndpoint(engine=spec.engine, url=managed_url)
    server = find_vector_server(spec)
    if server is SearchDomain and search is not None:
        domain = SearchDomain(name, search, opts)
        return VectorEndpoint(
            engine=spec.engine,
            url=domain.url,
            user=domain.user,
            security_group_id=domain.security_group_id,
            ports=(HTTPS_PORT,),
        )
    if server is QdrantNodes and qdrant is not None:
        nodes = QdrantNodes(name, qdrant, opts)
        return VectorEndpoint(
            engine=spec.engine,
            url=nodes.url,
            authority_arn=nodes.authority_certificate_arn,
            volume_arns=nodes.volume_arns,
            security_group_id=nodes.security_group_id,
            ports=(QDRANT_PORT, QDRANT_GRPC_PORT),
        )
    if server is not None:
        raise ValueError(f"{spec.engine} needs the arguments of {server.__name__}")
    return VectorEndpoint(engine=spec.engine)
