"""Where a verification's updates are heard: its channel of the push API, and that API's address for browsers."""

from __future__ import annotations

NAMESPACE = "verifications"


def channel(verification_id: str) -> str:
    """A channel's name takes no underscore: `vrf_…` and `vrf_test_…` are /verifications/… and /verifications/test-…"""
    return f"/{NAMESPACE}/{verification_id.removeprefix('vrf_').replace('_', '-')}"


def socket_origin(host: str, endpoint: str) -> str:
    """The origin of the WebSocket. `endpoint`: AWS_ENDPOINT_URL; the embedded AWS has no TLS."""
    return f"{'ws' if endpoint.startswith('http://') else 'wss'}://{host}"


def socket_url(host: str, endpoint: str) -> str | None:
    """None where there is no push, and so no host."""
    return f"{socket_origin(host, endpoint)}/event/realtime" if host else None
