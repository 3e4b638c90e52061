"""A stand-in for the gRPC API of a Qdrant server, with the services that the client's package generates. No Qdrant."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from qdrant_client import grpc as wire
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc.collections_service_pb2_grpc import (
    CollectionsServicer,
    add_CollectionsServicer_to_server,
)
from qdrant_client.grpc.points_service_pb2_grpc import PointsServicer, add_PointsServicer_to_server
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantServicer, add_QdrantServicer_to_server

from tests.app.indexes.qdrant_standin import Call, Standin, status_of

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""As Qdrant's services translate their errors."""


@contextmanager
def serve_grpc(standin: Standin, *, port: int = 0, certificate: str = "") -> Iterator[int]:
    """Serve on a port of 127.0.0.1, 0 a free one, with TLS where there is a PEM file of a certificate and its key."""
    threads = ThreadPoolExecutor(4)
    server = grpc.server(threads, options=[("grpc.max_receive_message_length", -1)])
    add_CollectionsServicer_to_server(_Collections(standin), server)  # type: ignore[no-untyped-call]
    add_PointsServicer_to_server(_Points(standin), server)  # type: ignore[no-untyped-call]
    add_QdrantServicer_to_server(_Root(standin), server)  # type: ignore[no-untyped-call]
    if certificate:
        pem = Path(certificate).read_bytes()
        port = server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(pem, pem)]))
    else:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    standin.closing.clear()
    try:
        yield port
    finally:
        standin.closing.set()
        server.stop(None).wait()
        threads.shutdown()


def _meet(standin: Standin, name: str, request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    """Note a call, fail as told, or answer."""
    headers = {str(key): str(value) for key, value in context.invocation_metadata()}
    collection = getattr(request, "collection_name", "")
    fault = standin.note(Call(name=name, collection=collection, headers=headers, asked={"request": request}))
    if fault is not None:
        if fault.hangs:
            standin.wait()
        if fault.acknowledges:
            return _done(models.UpdateResult(operation_id=1, status=models.UpdateStatus.ACKNOWLEDGED))
        if fault.retry_after:
            context.set_trailing_metadata((("retry-after", fault.retry_after),))
        context.abort(CODES.get(fault.status, grpc.StatusCode.UNAVAILABLE), fault.reason)
    try:
        return answer()
    except ValueError as failure:
        return context.abort(CODES[status_of(failure)], f"Wrong input: {failure}")


class _Root(QdrantServicer):
    def __init__(self, standin: Standin) -> None:
        self._standin = standin

    def HealthCheck(self, request: Any, context: Any) -> Any:  # noqa: N802 - as generated, here and below
        def answer() -> Any:
            return wire.HealthCheckReply(title="qdrant", version=self._standin.version)

        return _meet(self._standin, "info", request, context, answer)


class _Collections(CollectionsServicer):
    def __init__(self, standin: Standin) -> None:
        self._standin = standin

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            names = [one.name for one in self._standin.engine.get_collections().collections]
            return wire.ListCollectionsResponse(collections=[wire.CollectionDescription(name=name) for name in names])

        return _meet(self._standin, "list", request, context, answer)

    def CollectionExists(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            exists = self._standin.engine.collection_exists(request.collection_name)
            return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=exists))

        return _meet(self._standin, "exists", request, context, answer)

    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            info = self._standin.engine.get_collection(request.collection_name)
            return wire.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

        return _meet(self._standin, "get", request, context, answer)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            quantized = request.quantization_config if request.HasField("quantization_config") else None
            self._standin.engine.create_collection(
                request.collection_name,
                vectors_config=GrpcToRest.convert_vectors_config(request.vectors_config),
                hnsw_config=GrpcToRest.convert_hnsw_config_diff(request.hnsw_config),
                quantization_config=quantized and GrpcToRest.convert_quantization_config(quantized),
                metadata=GrpcToRest.convert_payload(request.metadata),
            )
            return wire.CollectionOperationResponse(result=True)

        return _meet(self._standin, "create", request, context, answer)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            change = GrpcToRest.convert_update_collection(request)
            fields = {"hnsw_config": change.hnsw_config, "quantization_config": change.quantization_config}
            told = {name: value for name, value in fields.items() if value is not None}
            return wire.CollectionOperationResponse(
                result=self._standin.engine.update_collection(request.collection_name, **told)
            )

        return _meet(self._standin, "change", request, context, answer)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            return wire.CollectionOperationResponse(
                result=self._standin.engine.delete_collection(request.collection_name)
            )

        return _meet(self._standin, "remove", request, context, answer)


class _Points(PointsServicer):
    def __init__(self, standin: Standin) -> None:
        self._standin = standin

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            schema = GrpcToRest.convert_payload_schema_params(request.field_index_params)
            return _done(
                self._standin.engine.create_payload_index(
                    request.collection_name, field_name=request.field_name, field_schema=schema
                )
            )

        return _meet(self._standin, "index", request, context, answer)

    def Upsert(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            points = [GrpcToRest.convert_point_struct(one) for one in request.points]
            condition = GrpcToRest.convert_filter(request.update_filter) if request.HasField("update_filter") else None
            return _done(self._standin.engine.upsert(request.collection_name, points=points, update_filter=condition))

        return _meet(self._standin, "upsert", request, context, answer)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            numbers = [GrpcToRest.convert_point_id(one) for one in request.points.points.ids]
            selector = models.PointIdsList(points=numbers)
            return _done(self._standin.engine.delete(request.collection_name, points_selector=selector))

        return _meet(self._standin, "delete", request, context, answer)

    def Count(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            count = self._standin.engine.count(request.collection_name, exact=request.exact)
            return wire.CountResponse(result=RestToGrpc.convert_count_result(count))

        return _meet(self._standin, "count", request, context, answer)

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802
        def answer() -> Any:
            found = self._standin.engine.query_points(
                request.collection_name,
                query=list(request.query.nearest.dense.data),
                query_filter=GrpcToRest.convert_filter(request.filter),
                search_params=GrpcToRest.convert_search_params(request.params),
                limit=request.limit,
                with_payload=list(request.with_payload.include.fields) or request.with_payload.enable,
                with_vectors=request.with_vectors.enable,
            )
            return wire.QueryResponse(result=[RestToGrpc.convert_scored_point(one) for one in found.points])

        return _meet(self._standin, "query", request, context, answer)


def _done(result: Any) -> Any:
    return wire.PointsOperationResponse(result=RestToGrpc.convert_update_result(result))
