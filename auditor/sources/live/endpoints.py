"""Where calls go and as whom: Google with the caller's credentials, or an emulator on this machine."""

from __future__ import annotations

import ipaddress
import os
import threading
from dataclasses import dataclass, field
from typing import Any

from auditor import __version__
from auditor.errors import AuditorError
from auditor.sources.live import calls

ASSET_EMULATOR = "CLOUD_ASSET_EMULATOR_HOST"
CONTAINER_EMULATOR = "CONTAINER_EMULATOR_HOST"
COMPUTE_EMULATOR = "COMPUTE_EMULATOR_HOST"

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a page of 1,000 assets is larger than the 4 MB of the default
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # every attempt is to be counted
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
)
_CLOUD = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class Emulators:
    """HOST:PORT of each emulator, empty where the real API is meant."""

    asset: str = ""
    container: str = ""
    compute: str = ""

    @property
    def any(self) -> bool:
        """Whether an emulator is named at all: then no credentials are looked for, and none are sent."""
        return bool(self.asset or self.container or self.compute)


def emulators() -> Emulators:
    """The emulators that the environment names. `AuditorError` if one is not on this machine."""
    return Emulators(*(_emulator(name) for name in (ASSET_EMULATOR, CONTAINER_EMULATOR, COMPUTE_EMULATOR)))


def _emulator(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        return ""
    host, colon, port = value.rpartition(":")
    if host == "::1":
        host = "[::1]"
    if not (colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536 and _is_loopback(host)):
        raise AuditorError(
            f"{value!r} is no address of this machine; an emulator is spoken to without encryption and "
            "without credentials, and nowhere else",
            hint=f"unset {variable} to use Google's API, or give 127.0.0.1:PORT",
            place=variable,
        )
    return f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1] == "::1"
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class Access:
    """The clients of a collection, made when they are first needed. Close it at the end."""

    emulators: Emulators
    quota_project: str | None = None
    _credentials: Any = None
    _channels: list[Any] = field(default_factory=list)
    _refreshing: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """See that there are credentials, before any call. `AuditorError` with the remedy if not."""
        if not self.emulators.any:
            self.credentials()

    def credentials(self) -> Any:
        """The caller's credentials, fresh; None if an emulator is in use."""
        if self.emulators.any:
            return None
        if self._credentials is None:
            import google.auth
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import Request

            try:
                found, _ = google.auth.default(scopes=[_CLOUD], quota_project_id=self.quota_project)
                found.refresh(Request())  # type: ignore[no-untyped-call]  # google-auth has few types
            except GoogleAuthError as error:
                told = str(error.args[0] if error.args else error)[:300]
                raise AuditorError(
                    f"no usable credentials for Google Cloud: {told}",
                    hint="log in with `gcloud auth application-default login`, or set "
                    "GOOGLE_APPLICATION_CREDENTIALS, or run where a service account is attached",
                ) from error
            self._credentials = found
        return self._credentials

    def token(self) -> str:
        """An access token that is still good; empty if an emulator is in use."""
        credentials = self.credentials()
        if credentials is None:
            return ""
        with self._refreshing:
            if not credentials.valid:
                from google.auth.transport.requests import Request

                credentials.refresh(Request())
        return str(credentials.token)

    def compute_base(self) -> str:
        """Where the Compute API is."""
        if self.emulators.compute:
            return f"http://{self.emulators.compute}"
        return f"https://{calls.COMPUTE_HOST}"

    def assets(self) -> Any:
        """A client of Cloud Asset Inventory."""
        from google.cloud.asset_v1.services.asset_service import AssetServiceClient
        from google.cloud.asset_v1.services.asset_service.transports import AssetServiceGrpcTransport

        channel = self._channel(AssetServiceGrpcTransport, calls.ASSET_HOST, self.emulators.asset)
        return AssetServiceClient(
            transport=AssetServiceGrpcTransport(channel=channel, client_info=_client_info())
        )

    def clusters(self) -> Any:
        """A client of the Kubernetes Engine API."""
        from google.cloud.container_v1.services.cluster_manager import ClusterManagerClient
        from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport

        channel = self._channel(ClusterManagerGrpcTransport, calls.CONTAINER_HOST, self.emulators.container)
        return ClusterManagerClient(
            transport=ClusterManagerGrpcTransport(channel=channel, client_info=_client_info())
        )

    def _channel(self, transport: Any, host: str, emulator: str) -> Any:
        # gRPC tells standard error about every failed connection; failures are told here, once.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        import grpc

        from auditor.sources.live.channel import ReadOnlyChannel

        if emulator:
            # A proxy in the environment must not carry away what is meant for this machine.
            channel = grpc.insecure_channel(emulator, options=(*_OPTIONS, ("grpc.enable_http_proxy", 0)))
        elif self.emulators.any:
            raise AssertionError("an emulator and the real API are never mixed")
        else:
            channel = transport.create_channel(
                f"{host}:443",
                credentials=self.credentials(),
                scopes=[_CLOUD],
                quota_project_id=self.quota_project,
                options=_OPTIONS,
            )
        wrapped = ReadOnlyChannel(channel)
        self._channels.append(wrapped)
        return wrapped

    def close(self) -> None:
        """End every call that is under way."""
        for channel in self._channels:
            channel.close()
        self._channels.clear()


def _client_info() -> Any:
    from google.api_core.gapic_v1.client_info import ClientInfo

    return ClientInfo(user_agent=f"gke-auditor/{__version__}")  # type: ignore[no-untyped-call]
