"""What callers send, parsed and judged field by field before anything is read, written or asked."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from callverify.domain.addresses import network_of
from callverify.domain.errors import CursorUnknown, InvalidRequest
from callverify.domain.origins import normal_origin
from callverify.domain.text import is_plain, quotable
from callverify.domain.value import value
from callverify.domain.words import Method
from callverify.providers.names import NAMES

MAX_BODY_BYTES = 16 * 1024
MAX_REFERENCE = 64
MAX_METADATA_PAIRS, MAX_METADATA_NAME, MAX_METADATA_VALUE = 10, 40, 500
MAX_IDEMPOTENCY_KEY = 255
MAX_CURSOR = 200
MAX_FOUND = 20
UNKNOWN_CURSOR = (
    "`after` must be the `next` of an earlier page of events. Leave it out to begin with the oldest event kept."
)
UNKNOWN_PLACE = (
    "`after` must be the `next` of an earlier page of a search. Leave it out to begin with the newest verification."
)
LOCALES = ("ru", "en")
_OPTIONAL = ["method", "provider", "allowed_methods", "reference", "metadata", "end_user_ip", "locale"]
START_FIELDS = frozenset(["phone", *_OPTIONAL, "return_url", "brand"])
_PLACE = re.compile(r"[0-9]{10}\.[0-9]{3}#vrf_[a-z0-9_]{1,40}")
_PLAIN = ", none of them a control character or a Unicode noncharacter"


@value
class StartRequest:
    """A start as the caller asked for it; `phone` is still as written.

    end_user_ip: the network of the person's address, which `end_user_address` is.
    """

    phone: str
    method: Method | None = None
    provider: str | None = None
    allowed_methods: tuple[Method, ...] = ()
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    end_user_ip: str | None = None
    end_user_address: str | None = None
    locale: str | None = None
    return_url: str | None = None
    brand: str | None = None


@value
class SwitchRequest:
    """`phone` is still as written."""

    phone: str
    method: Method


@value
class SearchRequest:
    """Either `phone`, still as written, or `reference`. after: where the page before ended, as the index has it."""

    phone: str | None
    reference: str | None
    limit: int
    after: str


def parse_search(body: str | None) -> SearchRequest:
    """Raises InvalidRequest and CursorUnknown."""
    fields = _object(body, {"phone", "reference", "limit", "after"})
    if len(fields.keys() & {"phone", "reference"}) != 1:
        raise InvalidRequest("Send either `reference` or `phone`.")
    phone = _phone(fields) if "phone" in fields else None
    reference = _text(fields, "reference", MAX_REFERENCE)
    if phone is None and reference is None:
        raise InvalidRequest("`reference` must be a string.")
    limit = fields.get("limit", MAX_FOUND)
    # To JSON 16.0 is a whole number, too.
    if isinstance(limit, bool) or limit not in range(1, MAX_FOUND + 1):
        raise InvalidRequest(f"`limit` must be a whole number from 1 to {MAX_FOUND}.")
    return SearchRequest(phone, reference, int(limit), _place(fields.get("after")))


def parse_start(
    body: str | None,
    *,
    methods: Mapping[str, Sequence[Method]],
    return_origins: Collection[str],
    brands: Collection[str] = (),
) -> StartRequest:
    """Raises InvalidRequest. `methods`: those of each provider's configured routes."""
    fields = _object(body, START_FIELDS)
    method = _choice(fields, "method", Method)
    provider = _provider(fields)
    offered = methods.get(provider, ()) if provider else ()
    if offered and not method and not fields.get("allowed_methods") and not on_their_own(offered):
        raise InvalidRequest(
            f"`provider` {provider} offers only {', '.join(offered)}. Name it in `method` or in `allowed_methods`."
        )
    if method and offered and method not in offered:
        raise InvalidRequest(f"`provider` {provider} offers {', '.join(offered)}, not `method` {method}.")
    every = on_their_own(dict.fromkeys(each for one in methods.values() for each in one)) or on_their_own(Method)
    return StartRequest(
        phone=_phone(fields),
        method=method,
        provider=provider,
        allowed_methods=_allowed_methods(fields, method, offered, every),
        reference=_text(fields, "reference", MAX_REFERENCE),
        metadata=_metadata(fields),
        end_user_ip=_address(fields),
        end_user_address=fields.get("end_user_ip"),
        locale=_locale(fields),
        return_url=_return_url(fields, return_origins),
        brand=_brand(fields, brands),
    )


def on_their_own(methods: Iterable[Method]) -> tuple[Method, ...]:
    """Those that are used without being named: a voice call is not."""
    return tuple(method for method in methods if method is not Method.VOICE_CALL)


def parse_code(body: str | None, digits: int | None) -> str:
    """The digits of a check, as many as the challenge asks for. Raises InvalidRequest, which costs no check."""
    code = _object(body, {"code"}).get("code")
    if not isinstance(code, str) or not (code.isascii() and code.isdigit()) or len(code) != (digits or len(code)):
        example = "042719"[: digits or 4]
        raise InvalidRequest(f"`code` must be a string of {len(example)} digits, such as {example}.")
    return code


def parse_switch(body: str | None) -> SwitchRequest:
    """Raises InvalidRequest."""
    fields = _object(body, {"phone", "method"})
    method = _choice(fields, "method", Method)
    if method is None:
        raise InvalidRequest(f"`method` is required: one of {', '.join(Method)}.")
    return SwitchRequest(_phone(fields), method)


def parse_phone(body: str | None) -> str:
    """The `phone` that a body of nothing else names, as written. Raises InvalidRequest."""
    return _phone(_object(body, {"phone"}))


def is_switch(body: str | None) -> bool:
    """Whether the body of a repeat is version 1's of a switch, which a page that was opened before an upgrade sends."""
    try:
        fields = json.loads(body or "{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and bool(fields.keys() & {"phone", "method"})


def parse_nothing(body: str | None) -> None:
    """For calls that take no fields: no body, or {}. Raises InvalidRequest."""
    if body and body.strip():
        _object(body, set())


def parse_number(name: str, value: str | None, *, default: int, most: int, least: int = 0) -> int:
    """A whole number in a query. Raises InvalidRequest."""
    if value is None:
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > 15 or not least <= int(value) <= most:
        raise InvalidRequest(f"`{name}` must be a whole number from {least} to {most}.")
    return int(value)


def parse_cursor(value: str | None) -> int:
    """The number of the event that a page begins after. Raises InvalidRequest and CursorUnknown."""
    if value is not None and len(value) > MAX_CURSOR:
        raise InvalidRequest(f"`after` must be the `next` of an earlier page, at most {MAX_CURSOR} characters.")
    if value is not None and not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise CursorUnknown(UNKNOWN_CURSOR)
    return int(value or 0)


def parse_day(value: str | None) -> str | None:
    """A day such as 2026-11-27. Raises InvalidRequest."""
    if value is None:
        return None
    try:
        if date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise InvalidRequest("`day` must be a UTC date such as 2026-11-27.")


def cursor_of(place: str) -> str:
    """The `next` of a page that ended at this place of the index."""
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: Any) -> str:
    if cursor is None:
        return ""
    if not isinstance(cursor, str) or len(cursor) > MAX_CURSOR:
        raise InvalidRequest(f"`after` must be the `next` of an earlier page, at most {MAX_CURSOR} characters.")
    try:
        place = base64.b64decode(cursor, b"-_", validate=True).decode("ascii")
    except ValueError:
        raise CursorUnknown(UNKNOWN_PLACE) from None
    if not _PLACE.fullmatch(place):
        raise CursorUnknown(UNKNOWN_PLACE)
    return place


def parse_idempotency_key(value: str | None) -> str | None:
    """Raises InvalidRequest for an empty or unreasonable `Idempotency-Key` header."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_IDEMPOTENCY_KEY or not (value.isascii() and value.isprintable()):
        raise InvalidRequest(f"`Idempotency-Key` must be 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters.")
    return value


def canonical(body: str | None, *, without: Collection[str] = ()) -> str:
    """A body in a form that is the same however its JSON is spaced and ordered; other text stays as it is.

    without: fields to leave out.
    """
    try:
        value = json.loads(body or "", object_pairs_hook=_each_once)
        if isinstance(value, dict):
            value = {name: member for name, member in value.items() if name not in without}
        return json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError, InvalidRequest):
        return body or ""


def end_user_ip(body: str | None) -> str | None:
    """The network that a start of a known body names. Raises InvalidRequest for what is no address."""
    return _address(json.loads(body or "{}"))


def bound(body: str, most: int = MAX_BODY_BYTES) -> str:
    """The body. Raises InvalidRequest for one of more than so many bytes."""
    if len(body.encode("utf-8", "surrogatepass")) > most:
        raise InvalidRequest(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
    return body


def _object(body: str | None, known: Collection[str]) -> dict[str, Any]:
    if body is None or not body.strip():
        raise InvalidRequest("The request has no body. Send a JSON object.")
    bound(body)
    try:
        value = json.loads(body, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    for name in value:
        if name not in known:
            allowed = f"Known fields: {', '.join(sorted(known))}." if known else "This call takes no fields."
            raise InvalidRequest(f"Unknown field `{quotable(name)[:40]}`. {allowed}")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's members. Raises InvalidRequest for a name given twice: which one was meant?"""
    members: dict[str, Any] = {}
    for name, member in pairs:
        if name in members:
            raise InvalidRequest(f"`{quotable(name)[:40]}` is given twice. Give each field once.")
        members[name] = member
    return members


def _phone(fields: Mapping[str, Any]) -> str:
    phone = fields.get("phone")
    if not isinstance(phone, str):
        raise InvalidRequest("`phone` is required: a string in E.164, such as +79000000101.")
    return phone


def _choice(fields: Mapping[str, Any], name: str, kind: type[Method]) -> Method | None:
    value = fields.get(name)
    return None if value is None else _member(name, value, kind)


def _member(name: str, value: Any, kind: type[Method]) -> Method:
    try:
        return kind(value)
    except ValueError:
        raise InvalidRequest(f"`{name}` must be one of {', '.join(kind)}.") from None


def _provider(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("provider")
    if value is not None and value not in NAMES:
        raise InvalidRequest(f"`provider` must be one of {', '.join(NAMES)}.")
    return value


def _allowed_methods(
    fields: Mapping[str, Any], method: Method | None, offered: Sequence[Method], every: Sequence[Method]
) -> tuple[Method, ...]:
    """offered: of the named provider. every: those of all configured routes."""
    value = fields.get("allowed_methods")
    if value is None:
        return (method,) if method else tuple(every)
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"`allowed_methods` must be a list of at least one of {', '.join(Method)}.")
    allowed = tuple(dict.fromkeys(_member("allowed_methods", member, Method) for member in value))
    if method and method not in allowed:
        raise InvalidRequest(f"`allowed_methods` must include the `method` {method}.")
    if offered and not set(offered) & set(allowed):
        raise InvalidRequest(f"`allowed_methods` must include a method that `provider` offers: {', '.join(offered)}.")
    return allowed


def _text(fields: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not is_plain(value):
        raise InvalidRequest(f"`{name}` must be a string of 1 to {longest} characters{_PLAIN}.")
    return value


def _metadata(fields: Mapping[str, Any]) -> Mapping[str, str]:
    value = fields.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_METADATA_PAIRS:
        raise InvalidRequest(f"`metadata` must be an object of at most {MAX_METADATA_PAIRS} pairs.")
    for name, text in value.items():
        if not 1 <= len(name) <= MAX_METADATA_NAME or not is_plain(name):
            raise InvalidRequest(f"Names in `metadata` must have 1 to {MAX_METADATA_NAME} characters{_PLAIN}.")
        if not isinstance(text, str) or len(text) > MAX_METADATA_VALUE or not is_plain(text):
            raise InvalidRequest(
                f"Values in `metadata` must be strings of at most {MAX_METADATA_VALUE} characters{_PLAIN}."
            )
    return value


def _address(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("end_user_ip")
    if value is None:
        return None
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return network_of(value)
    except ValueError:
        raise InvalidRequest("`end_user_ip` must be an IPv4 or IPv6 address, such as 203.0.113.7.") from None


def _locale(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("locale")
    if value is not None and value not in LOCALES:
        raise InvalidRequest(f"`locale` must be one of {', '.join(LOCALES)}.")
    return value


def _brand(fields: Mapping[str, Any], brands: Collection[str]) -> str | None:
    value = fields.get("brand")
    if value is not None and value not in brands:
        configured = f"one of {', '.join(sorted(brands))}" if brands else "left out: none is configured"
        raise InvalidRequest(f"`brand` must be {configured} (parameter Brands).")
    return value


def _return_url(fields: Mapping[str, Any], origins: Collection[str]) -> str | None:
    value = fields.get("return_url")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 2000 or not is_plain(value):
        raise InvalidRequest(f"`return_url` must be a URL of at most 2000 characters{_PLAIN}.")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidRequest("`return_url` must be a URL such as https://shop.example/done.") from None
    origin = normal_origin(f"{parts.scheme}://{parts.netloc}") if parts.scheme in ("https", "http") else None
    if origin is None:
        raise InvalidRequest(
            "`return_url` must be an https URL without credentials, or an http URL of this machine such as "
            "http://localhost:3000/done."
        )
    if origin not in origins:
        raise InvalidRequest(
            f"`return_url` must begin with an origin of the parameter ReturnOrigins; {quotable(origin)} is not one."
        )
    return value
