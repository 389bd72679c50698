"""Google Cloud on this machine: Cloud Asset Inventory and the Kubernetes Engine API, on their real protos.

`python -m tests.sources.live.emulator FILE` serves an export until it is killed, and prints its address.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
import orjson
from google.cloud import asset_v1, container_v1
from google.protobuf import any_pb2, json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Iterable

Asset = asset_v1.Asset.pb()
ListAssetsRequest = asset_v1.ListAssetsRequest.pb()
ListAssetsResponse = asset_v1.ListAssetsResponse.pb()
SearchRequest = asset_v1.SearchAllResourcesRequest.pb()
SearchResponse = asset_v1.SearchAllResourcesResponse.pb()
ListClustersRequest = container_v1.ListClustersRequest.pb()
ListClustersResponse = container_v1.ListClustersResponse.pb()


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it arrived: when, and what was asked."""

    time: float
    method: str
    parent: str
    types: tuple[str, ...]
    token: str
    read_time: str
    page_size: int


@dataclass(frozen=True, slots=True)
class Status:
    """An error to answer with; `retry_after` seconds go into RetryInfo, `reason` into ErrorInfo."""

    code: str
    message: str = ""
    retry_after: float | None = None
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    def abort(self, context: Any) -> None:
        details = []
        if self.retry_after is not None:
            info = error_details_pb2.RetryInfo()
            info.retry_delay.FromNanoseconds(int(self.retry_after * 1e9))
            details.append(_any(info))
        if self.reason:
            details.append(_any(error_details_pb2.ErrorInfo(reason=self.reason, metadata=self.metadata)))
        context.abort_with_status(
            rpc_status.to_status(
                status_pb2.Status(
                    code=code_pb2.Code.Value(self.code), message=self.message or self.code, details=details
                )
            )
        )


def _any(message: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


class Emulator:
    """A server; `faults` are asked in turn about each request and may answer with a `Status`."""

    def __init__(self, assets: Iterable[dict[str, Any]] = (), *, page: int = 1000) -> None:
        self.faults: list[Any] = []
        self.requests: list[Request] = []
        self.clusters: dict[str, Any] = {}
        self.missing_zones: dict[str, list[str]] = {}
        self.serves_container = True
        self.search_results: list[dict[str, Any]] = []
        self.page = page
        self._lock = threading.Lock()
        self._by_type: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
        self._types: list[str] = []
        self._pages: dict[Any, bytes] = {}
        for asset in assets:
            self.add(asset)

    def add(self, asset: dict[str, Any]) -> None:
        message = json_format.ParseDict(asset, Asset())
        kind = message.asset_type
        parts = message.name.split("/")
        own = "/".join(parts[3:5])
        self._by_type.setdefault(kind, []).append(((own, *message.ancestors), message))
        self._types = sorted(self._by_type)

    def list_assets(self, request: Any, context: Any) -> bytes:
        self._note("ListAssets", request.parent, request.asset_types, request, context)
        key = (request.parent, tuple(request.asset_types), request.page_token, request.page_size)
        found = self._pages.get(key)
        if found is None:
            hits = [
                message
                for kind in (request.asset_types or self._types)
                for scopes, message in self._by_type.get(kind, ())
                if request.parent in scopes
            ]
            offset, size = int(request.page_token or 0), min(request.page_size or 100, self.page)
            end = offset + size
            token = str(end) if end < len(hits) else ""
            answer = ListAssetsResponse(assets=hits[offset:end], next_page_token=token)
            found = answer.SerializeToString()
            self._pages[key] = found
        return found

    def search(self, request: Any, context: Any) -> Any:
        self._note("SearchAllResources", request.scope, request.asset_types, request, context)
        answer = SearchResponse()
        for one in self.search_results:
            json_format.ParseDict(one, answer.results.add())
        return answer

    def list_clusters(self, request: Any, context: Any) -> Any:
        self._note("ListClusters", request.parent, (), None, context)
        project = request.parent.split("/")[1]
        answer = ListClustersResponse(missing_zones=self.missing_zones.get(project, []))
        for data in self.clusters.get(project, []):
            json_format.ParseDict(data, answer.clusters.add())
        return answer

    def _note(self, method: str, parent: str, types: Iterable[str], request: Any, context: Any) -> None:
        noted = Request(
            time.monotonic(),
            method,
            parent,
            tuple(types),
            getattr(request, "page_token", ""),
            request.read_time.ToJsonString()
            if method == "ListAssets" and request.HasField("read_time")
            else "",
            getattr(request, "page_size", 0),
        )
        with self._lock:
            self.requests.append(noted)
            faults = list(self.faults)
        for fault in faults:
            status = fault(noted)
            if status is not None:
                status.abort(context)

    def start(self, port: int = 0) -> Self:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)],
        )
        self._server.add_generic_rpc_handlers(
            [
                _service(
                    "google.cloud.asset.v1.AssetService",
                    ListAssets=(self.list_assets, ListAssetsRequest, bytes),
                    SearchAllResources=(self.search, SearchRequest, SearchResponse.SerializeToString),
                )
            ]
        )
        if self.serves_container:
            self._server.add_generic_rpc_handlers(
                [
                    _service(
                        "google.container.v1.ClusterManager",
                        ListClusters=(
                            self.list_clusters,
                            ListClustersRequest,
                            ListClustersResponse.SerializeToString,
                        ),
                    )
                ]
            )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()
        return self

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.stop(0).wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def of(self, method: str) -> list[Request]:
        with self._lock:
            return [one for one in self.requests if one.method == method]


def _service(name: str, **methods: Any) -> Any:
    return grpc.method_handlers_generic_handler(
        name,
        {
            method: grpc.unary_unary_rpc_method_handler(
                behaviour, request_deserializer=request.FromString, response_serializer=serializer
            )
            for method, (behaviour, request, serializer) in methods.items()
        },
    )


def main() -> None:
    with Path(sys.argv[1]).open("rb") as lines:
        emulator = Emulator(orjson.loads(line) for line in lines)
    delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    if delay:
        emulator.faults.append(lambda _: time.sleep(delay))
    emulator.start()
    print(emulator.address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
