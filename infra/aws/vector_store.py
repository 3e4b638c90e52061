"""The servers that a plan's vectors need, and where the service finds them."""

import pulumi

from infra.aws.qdrant_nodes import QdrantNodes, QdrantNodesArgs
from infra.aws.search_domain import SearchDomain, SearchDomainArgs
from infra.aws.traffic import HTTPS_PORT
from infra.facts import QDRANT_GRPC_PORT, QDRANT_PORT
from infra.vector_endpoint import VectorEndpoint, find_managed
from sizing.plan import VectorStoreSpec


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
        return find_managed(spec, managed_url)
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
