"""A gRPC channel that carries the listed reading calls and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from auditor.sources.live import calls, decode

if TYPE_CHECKING:
    from collections.abc import Callable

DESERIALIZERS: dict[str, Callable[[bytes], Any]] = {calls.LIST_ASSETS.name: decode.page}
"""What becomes of an answer's bytes, where that is not the client library's own message."""


def _refusing(method: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise calls.ForbiddenCallError(f"{method} is not among the calls that this program makes")

    # The client library builds a stub for every method of the service when it is made.
    refuse.with_call = refuse  # type: ignore[attr-defined]
    refuse.future = refuse  # type: ignore[attr-defined]
    return refuse


class ReadOnlyChannel(grpc.Channel):  # type: ignore[misc]  # grpc has no types
    """Passes the methods in `calls.GRPC` to another channel; any other raises before anything is sent."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,  # noqa: FBT001, FBT002 - grpc's own signature
    ) -> Any:
        """A callable for the method."""
        if method not in calls.GRPC:
            return _refusing(method)
        return self._channel.unary_unary(
            method,
            request_serializer=request_serializer,
            response_deserializer=DESERIALIZERS.get(method, response_deserializer),
        )

    def unary_stream(self, method: str, *_: Any, **__: Any) -> Any:
        """No listed call streams."""
        return _refusing(method)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        """No listed call streams."""
        return _refusing(method)

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Any:
        """No listed call streams."""
        return _refusing(method)

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:  # noqa: FBT001, FBT002
        """See grpc.Channel."""
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        """See grpc.Channel."""
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        """End the channel and every call on it."""
        self._channel.close()

    def __enter__(self) -> ReadOnlyChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
