"""A channel that attaches the token to each call."""

from __future__ import annotations

from typing import Final

import grpc

from ._identity import AuthPlugin, Identity
from ._target import Target

_OPTIONS: Final = (
    # During a call, a connection that breaks silently is noticed within six minutes. A gRPC server allows one ping in
    # five minutes without data, and closes the connection after a few more (gRPC's doc/keepalive.md): 10 % above.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Without this, gRPC stops after two pings of a call that sends nothing meanwhile.
    ("grpc.http2.max_pings_without_data", 0),
)
# A call to this machine goes through no proxy.
_LOCAL: Final = (*_OPTIONS, ("grpc.enable_http_proxy", 0))


def channel(target: Target, identity: Identity) -> grpc.Channel:
    """Connects at the first call."""
    return grpc.secure_channel(target.address, _credentials(target, identity), options=_options(target))


def channel_async(target: Target, identity: Identity) -> grpc.aio.Channel:
    """The same in the running event loop."""
    return grpc.aio.secure_channel(target.address, _credentials(target, identity), options=_options(target))


def _credentials(target: Target, identity: Identity) -> grpc.ChannelCredentials:
    """Without TLS, gRPC itself sees to it that the peer is on this machine."""
    token = grpc.metadata_call_credentials(AuthPlugin(identity), name="bucket-brigade")
    plain = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)
    return grpc.composite_channel_credentials(grpc.ssl_channel_credentials() if target.secure else plain, token)


def _options(target: Target) -> tuple[tuple[str, int], ...]:
    return _OPTIONS if target.secure else _LOCAL
