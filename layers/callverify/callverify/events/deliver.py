"""Events to the customer's URL: signed after the Standard Webhooks spec, to an address that was looked at first."""

from __future__ import annotations

import base64
import ipaddress
import json
import random
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from callverify.domain.erasure import EVENT_TYPE
from callverify.domain.errors import ConfigurationFault
from callverify.domain.words import Clock, Deadline, Note

DELIVERY_SECONDS = 10
SIGNING_SECRET_BYTES = range(24, 65)  # standard-webhooks.md, "Signature scheme", read 2026-11
LONGEST_BACKOFF_SECONDS = 4 * 60 * 60

Resolve = Callable[[str, int], Sequence[str]]


class Undelivered(Exception):
    """The receiver did not take the event; the message says how, without its URL."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, looked up once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise Undelivered("the host of EventWebhookUrl has no address") from None
    return [str(entry[4][0]) for entry in found]


# IPv4 written as IPv6 leads to that IPv4 address: ::ffff:… always, 64:ff9b::… where a network translates (NAT64).
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# All that is handed out for the open internet. IPv4-compatible and site-local addresses lie outside, and all their kin.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# For examples (RFC 9637), and for 6to4's relays (RFC 7526), which Python takes for open.
_RESERVED = (ipaddress.IPv6Network("3fff::/20"), ipaddress.IPv4Network("192.88.99.0/24"))


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet. 6to4 and Teredo, which tunnel to any IPv4 address, are not."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _TRANSLATED else ip.ipv4_mapped
        if inner is None and ip not in _GLOBAL_UNICAST:
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


def signing_secrets(text: str) -> list[str]:
    """The secrets in the secret `event-signing`: a JSON list of `whsec_` and 24 to 64 bytes in base64.

    Raises ConfigurationFault, naming the entry.
    """
    try:
        secrets = json.loads(text or "[]")
    except (ValueError, RecursionError):
        secrets = None
    if not isinstance(secrets, list):
        raise ConfigurationFault("event-signing", "it must be a JSON list of `whsec_…` secrets")
    if not secrets:
        raise ConfigurationFault("event-signing", "the list is empty: add a `whsec_…` secret")
    for number, secret in enumerate(secrets):
        if not _is_signing_secret(secret):
            raise ConfigurationFault(
                f"event-signing[{number}]", "each secret must be `whsec_` and 24 to 64 bytes in base64"
            )
    return secrets


def _is_signing_secret(secret: object) -> bool:
    if not isinstance(secret, str) or not secret.startswith("whsec_"):
        return False
    encoded = secret.removeprefix("whsec_")
    try:
        # Standard Webhooks' own libraries do without the padding.
        return len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)) in SIGNING_SECRET_BYTES
    except ValueError:
        return False


# The operating system's: of the module's own, containers that start from one snapshot have the same.
_JITTER = random.SystemRandom().uniform


def backoff(receive_count: int, *, base: float, jitter: Callable[[float, float], float] = _JITTER) -> int:
    """Seconds until the next try after `receive_count` of them: `base` times 3 for each, half of it by chance."""
    longest = min(base * 3 ** (receive_count - 1), LONGEST_BACKOFF_SECONDS)
    return max(1, round(jitter(longest / 2, longest)))


class Delivery:
    """Sends events to one URL. `read_secrets` gives the JSON list of `whsec_…` secrets, the first ones newest.

    `about` is told whose event it is before it is sent. is_erased: whether a verification's events are to be told to
    nobody any more.
    """

    def __init__(
        self,
        *,
        url: str,
        read_secrets: Callable[[], str],
        allow_private: bool,
        clock: Clock,
        about: Callable[[str], None],
        note: Note,
        is_erased: Callable[[str], bool],
        resolve: Resolve = resolve,
    ) -> None:
        self._url = url
        self._read_secrets = read_secrets
        self._allow_private = allow_private
        self._clock = clock
        self._about = about
        self._note = note
        self._is_erased = is_erased
        self._resolve = resolve

    def send(self, body: str) -> None:
        """Send one event's JSON. Raises Undelivered for anything but a 2xx within 10 s, and ConfigurationFault."""
        import urllib3

        from callverify.sockets import Pool, TlsPool, stopping_at

        event = json.loads(body)
        self._about(event["data"]["id"])
        if event["type"] != EVENT_TYPE and self._is_erased(event["data"]["id"]):
            self._note("event of an erased verification not delivered", event_id=event["id"])
            return
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        if not parts.hostname or not (secure or (self._allow_private and parts.scheme == "http")):
            raise ConfigurationFault("EventWebhookUrl", "it must be an https URL")
        port = parts.port or (443 if secure else 80)
        headers = {"Host": parts.netloc.rpartition("@")[2], **self._headers(event["id"], body)}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = Deadline.after(DELIVERY_SECONDS)
        # The address that is judged is the one that is connected to: a second look-up could answer otherwise.
        address = self._judged_address(parts.hostname, port)
        pool: Any = (
            TlsPool(address, port, server_hostname=parts.hostname, assert_hostname=parts.hostname)
            if secure
            else Pool(address, port)
        )
        with pool, stopping_at(deadline):
            try:
                answer = pool.urlopen(
                    "POST",
                    path,
                    body=body.encode(),
                    headers=headers,
                    timeout=DELIVERY_SECONDS,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                answer.release_conn()
            except urllib3.exceptions.HTTPError as error:
                raise Undelivered(type(error).__name__) from None
        if not 200 <= answer.status < 300:
            raise Undelivered(f"HTTP {answer.status}")
        self._note("event delivered", event_id=event["id"])

    def _judged_address(self, host: str, port: int) -> str:
        addresses = self._resolve(host, port)
        if not addresses:
            raise Undelivered("the host of EventWebhookUrl has no address")
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise ConfigurationFault("EventWebhookUrl", "its host has an address that is not public")
        return addresses[0]

    def _headers(self, event_id: str, body: str) -> dict[str, str]:
        from standardwebhooks import Webhook

        at = datetime.fromtimestamp(int(self._clock()), UTC)
        signatures = [Webhook(secret).sign(event_id, at, body) for secret in signing_secrets(self._read_secrets())]
        return {
            "Content-Type": "application/json",
            "User-Agent": "callverify",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
