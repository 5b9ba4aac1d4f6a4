"""Who is asking: API keys and client tokens, and the gateway policy that each of them earns."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from callverify.domain.errors import ConfigurationFault, Unauthorized
from callverify.domain.keys import Keys
from callverify.domain.value import value
from callverify.domain.words import Caller, CallerKind, Clock, Mode, Scope

REREAD_EVERY_SECONDS = 10
SLOW_SECONDS = 1

ROUTES = {
    Scope.WRITE: (
        "POST/verifications",
        "POST/verifications/*/check",
        "POST/verifications/*/repeat",
        "POST/verifications/*/switch",
        "POST/verifications/*/cancel",
    ),
    Scope.READ: (
        "GET/verifications/*",
        "GET/verifications/*/history",
        "GET/usage",
        "GET/events",
        "POST/verifications/search",
    ),
    Scope.SEARCH: ("POST/verifications/search",),
    Scope.BLOCK: ("PUT/blocks", "DELETE/blocks"),
    Scope.ERASE: ("DELETE/verifications/*", "POST/erasures"),
}
CLIENT_TOKEN_ROUTES = (
    "GET/verifications/{id}",
    "POST/verifications/{id}/check",
    "POST/verifications/{id}/repeat",
    "POST/verifications/{id}/switch",
)
# A credential of a front door opens its routes and nothing else, and nothing else opens them: decision 122.
BASIC_ROUTES = ("GET/twilio/v2/*", "POST/twilio/v2/*", "DELETE/twilio/v2/*")
BASIC, NOBODY = "basic", "nobody"  # kinds that no function but the door's knows
_ACCOUNT = re.compile("(AC|SK)[0-9a-f]{32}")


@value
class ApiKey:
    name: str
    sha256: str
    scopes: frozenset[str]
    mode: Mode
    voice_calls: bool = False
    all_keys: bool = False

    @property
    def id(self) -> str:
        """What state is kept under for this key: stable, and not the key."""
        return self.sha256[:16]


def parse_api_keys(secret: str) -> tuple[list[ApiKey], list[ConfigurationFault]]:
    """The keys in the secret `api-keys`, and what is wrong with the entries that are none.

    It is a JSON list of {"name", "sha256", "scopes", "mode"}; an entry may hold `"voice_calls": true` and
    `"all_keys": true`. One with a mistake opens nothing; the others do. A scope that is not known opens nothing either.
    Raises ConfigurationFault for what is no list.
    """
    try:
        entries = json.loads(secret or "[]")
    except (ValueError, RecursionError):
        raise ConfigurationFault("api-keys", "the secret is not valid JSON") from None
    if not isinstance(entries, list):
        raise ConfigurationFault("api-keys", "the secret must be a JSON list")
    keys, faults = [], []
    for number, entry in enumerate(entries):
        try:
            keys.append(_api_key(number, entry))
        except ConfigurationFault as fault:
            faults.append(fault)
    return keys, faults


def _api_key(number: int, entry: Any) -> ApiKey:
    try:
        if not isinstance(entry["scopes"], list):
            raise TypeError
        key = ApiKey(
            name=str(entry["name"]),
            sha256=str(entry["sha256"]).lower(),
            scopes=frozenset(scope for scope in Scope if scope in entry["scopes"]),
            mode=Mode(entry["mode"]),
            voice_calls=entry.get("voice_calls") is True,
            all_keys=entry.get("all_keys") is True,
        )
        if not re.fullmatch("[0-9a-f]{64}", key.sha256):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ConfigurationFault(
            f"api-keys[{number}]",
            "each key needs a name, the hex sha256 of the key, a list of scopes from "
            f"{', '.join(Scope)}, and a mode from {', '.join(Mode)}",
        ) from None
    return key


class Access:
    """Finds out who holds a credential. `read_api_keys(force)` gives the secret, from the cache unless forced.

    fault: told what is wrong with an entry of the secret, once for each text of it.
    """

    def __init__(
        self,
        *,
        keys: Callable[[], Keys],
        read_api_keys: Callable[[bool], str],
        clock: Clock,
        fault: Callable[[ConfigurationFault], None],
    ) -> None:
        self._keys = keys
        self._read_api_keys = read_api_keys
        self._clock = clock
        self._fault = fault
        self._reread_at = float("-inf")
        self._text: str | None = None
        self._api_keys: Sequence[ApiKey] = ()

    def caller(self, authorization: str) -> Caller:
        """The holder of `Authorization: Bearer <credential>`. Raises Unauthorized."""
        kind, _, credential = authorization.strip().partition(" ")
        credential = credential.strip()
        if kind.lower() != "bearer" or not credential:
            raise Unauthorized("Send `Authorization: Bearer <API key or client token>`.")
        if not credential.isascii():
            raise Unauthorized("The credential has characters that no API key or client token has.")
        if credential.startswith("cvt."):
            return self._client(credential)
        if credential.startswith("cvu."):
            raise Unauthorized("The token in `updates` is only for the WebSocket. Send an API key or a client token.")
        return self._server(credential)

    def basic(self, authorization: str) -> tuple[Caller, str] | None:
        """The holder of `Authorization: Basic`, of an API key as the password, and the account that it names."""
        try:
            given = base64.b64decode(authorization.strip()[len(BASIC) :].strip(), validate=True).decode("ascii")
            account, _, credential = given.partition(":")
            if not _ACCOUNT.fullmatch(account) or not credential:
                return None
            return self._server(credential), account
        except (binascii.Error, ValueError, Unauthorized):
            return None

    def _client(self, token: str) -> Caller:
        opened = self._keys().open_client_token(token)
        if opened is None or self._clock() >= opened[1]:
            raise Unauthorized("The client token is invalid or has expired.")
        return Caller(CallerKind.CLIENT_TOKEN, verification_id=opened[0], expires_at=opened[1])

    def _server(self, credential: str) -> Caller:
        digest = hashlib.sha256(credential.encode()).hexdigest()
        asked_at = self._clock()
        key = _find(digest, self._parse(self._read_api_keys(False)))
        now = self._clock()
        # It may have been made a moment ago: look again, but not at every guess, nor after a read that took its time.
        if key is None and now >= self._reread_at + REREAD_EVERY_SECONDS and now < asked_at + SLOW_SECONDS:
            self._reread_at = now
            key = _find(digest, self._parse(self._read_api_keys(True)))
        if key is None:
            raise Unauthorized("The API key is unknown or has been revoked.")
        return Caller(
            CallerKind.API_KEY,
            key_id=key.id,
            mode=key.mode,
            scopes=key.scopes,
            voice_calls=key.voice_calls,
            key_name=key.name,
            all_keys=key.all_keys,
        )

    def _parse(self, text: str) -> Sequence[ApiKey]:
        if text != self._text:
            self._api_keys, faults = parse_api_keys(text)
            self._text = text
            for fault in faults:
                self._fault(fault)
        return self._api_keys


def _find(digest: str, keys: Sequence[ApiKey]) -> ApiKey | None:
    """The key with this digest. Every key is compared, each in constant time."""
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def is_basic(authorization: str) -> bool:
    return authorization.strip().partition(" ")[0].lower() == BASIC


def basic_policy(found: tuple[Caller, str] | None, method_arn: str) -> dict[str, Any]:
    """The authorizer's answer to any `Authorization: Basic`. Raises Unauthorized for an unknown one elsewhere.

    At a door it is let in, as NOBODY, to be refused there in the door's words: the gateway's own 401 is one for all.
    """
    if not found and "/".join(method_arn.split("/")[3:5]) != "twilio/v2":
        raise Unauthorized("Send `Authorization: Bearer <API key or client token>`.")
    if not found:
        return _answer(method_arn, BASIC_ROUTES, NOBODY, {"kind": NOBODY})
    caller, account = found
    voice_calls = "allowed" if caller.voice_calls else ""
    context = {"kind": BASIC, "account": account, "voice_calls": voice_calls, **_key_context(caller)}
    return _answer(method_arn, BASIC_ROUTES, caller.key_id, context)


def policy(caller: Caller, method_arn: str) -> dict[str, Any]:
    """The authorizer's answer: every route that the credential may use, since the gateway caches it by that alone."""
    if caller.kind is CallerKind.CLIENT_TOKEN:
        routes = [route.format(id=caller.verification_id) for route in CLIENT_TOKEN_ROUTES]
    else:
        routes = [route for scope in Scope if scope in caller.scopes for route in ROUTES[scope]]
    verification_id = caller.verification_id or ""
    context = {
        "kind": caller.kind,
        **_key_context(caller),
        "verification_id": verification_id,
        "expires_at": caller.expires_at,
    }
    return _answer(method_arn, routes, caller.key_id or verification_id, context)


def _key_context(caller: Caller) -> dict[str, Any]:
    return {
        "key_id": caller.key_id,
        "key_name": caller.key_name,
        "mode": caller.mode,
        "scopes": " ".join(sorted(caller.scopes)),
        "all_keys": "yes" if caller.all_keys else "",
    }


def _answer(method_arn: str, routes: Sequence[str], principal: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """A policy of so many routes. None are denied by name: an answer without statements would be an error."""
    api, stage = method_arn.split("/")[:2]
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if routes else "Deny",
        "Resource": [f"{api}/{stage}/{route}" for route in routes or ["*"]],
    }
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }
