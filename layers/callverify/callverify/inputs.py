"""What callers send, parsed and judged field by field before anything is read, written or asked."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from callverify.errors import CursorUnknown, InvalidRequest
from callverify.frozen import dataclass
from callverify.models import Method, ProviderName
from callverify.origins import normal_origin
from callverify.text import is_plain, quotable

MAX_BODY_BYTES = 16 * 1024
MAX_REFERENCE = 64
MAX_METADATA_PAIRS, MAX_METADATA_NAME, MAX_METADATA_VALUE = 10, 40, 500
MAX_IDEMPOTENCY_KEY = 255
MAX_WEBHOOK_FIELDS = 50
MAX_CURSOR = 200
UNKNOWN_CURSOR = "`after` is not the `next` of a page of these events. Leave it out to read from the oldest event kept."
LOCALES = ("ru", "en")
_PLAIN = ", none of them a control character or a Unicode non-character"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A start as the caller asked for it; `phone` is still as written."""

    phone: str
    method: Method | None = None
    provider: ProviderName | None = None
    allowed_methods: tuple[Method, ...] = tuple(Method)
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    end_user_ip: str | None = None
    locale: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class RepeatRequest:
    """A repeat: the provider's own when both are None, else another way."""

    phone: str | None = None
    method: Method | None = None


def parse_start(
    body: str | None, *, methods: Mapping[ProviderName, Method], return_origins: Collection[str]
) -> StartRequest:
    """Raises InvalidRequest. `methods` tells each provider's method."""
    fields = _object(body, StartRequest.__dataclass_fields__.keys())
    method = _choice(fields, "method", Method)
    provider = _choice(fields, "provider", ProviderName)
    if method and provider and methods[provider] is not method:
        raise InvalidRequest(
            f"`provider` {provider} does {methods[provider]}, not `method` {method}. Name one of the two."
        )
    return StartRequest(
        phone=_phone(fields),
        method=method,
        provider=provider,
        allowed_methods=_allowed_methods(fields, method, methods[provider] if provider else None),
        reference=_text(fields, "reference", MAX_REFERENCE),
        metadata=_metadata(fields),
        end_user_ip=_address(fields),
        locale=_locale(fields),
        return_url=_return_url(fields, return_origins),
    )


def parse_code(body: str | None) -> str:
    """The four digits of a check. Raises InvalidRequest, which costs no attempt."""
    code = _object(body, {"code"}).get("code")
    if not isinstance(code, str) or len(code) != 4 or not (code.isascii() and code.isdigit()):
        raise InvalidRequest('`code` must be a string of four digits, such as {"code": "0427"}.')
    return code


def parse_repeat(body: str | None) -> RepeatRequest:
    """Raises InvalidRequest."""
    fields = _object(body, {"phone", "method"})
    if not fields:
        return RepeatRequest()
    method = _choice(fields, "method", Method)
    if "phone" not in fields or method is None:
        raise InvalidRequest("Send {} for the provider's own repeat, or both `phone` and `method` for another way.")
    return RepeatRequest(_phone(fields), method)


def parse_nothing(body: str | None) -> None:
    """For calls that take no fields: no body, or {}. Raises InvalidRequest."""
    if body and body.strip():
        _object(body, set())


_BOUNDARY = re.compile(r'boundary="?([^\s";,]{1,70})', re.IGNORECASE)
_PART_NAME = re.compile(
    r'^content-disposition:\s*form-data;(?:.*;)?\s*name="?([^"\r\n;]+)', re.IGNORECASE | re.MULTILINE
)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's members, in the order and as often as they are given."""


def parse_webhook(body: str, content_type: str) -> list[tuple[str, str]]:
    """The fields of a vendor's report, each as often as it is given: of a form, a multipart form or a JSON object.

    Read by its media type; by what it begins with where that says nothing. Raises InvalidRequest.
    """
    if len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise InvalidRequest(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
    body = body.removeprefix("\ufeff")
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type.endswith(("/json", "+json"))
    if media_type == "multipart/form-data":
        fields = _multipart(body, content_type)
    elif is_json or (media_type != "application/x-www-form-urlencoded" and body.lstrip().startswith("{")):
        fields = _members(body)
    else:
        fields = _form(body)
    if len(fields) > MAX_WEBHOOK_FIELDS:
        raise InvalidRequest(f"The body has more than {MAX_WEBHOOK_FIELDS} fields.")
    return fields


def _form(body: str) -> list[tuple[str, str]]:
    if "=" not in body:
        raise InvalidRequest("The body is not a form, such as waitcall=1&ts=1795341600.")
    return parse_qsl(body.strip(), keep_blank_values=True)


def _members(body: str) -> list[tuple[str, str]]:
    """A JSON object's members, with what is neither text nor a whole number as empty text."""
    try:
        value = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not valid JSON.") from None
    if not isinstance(value, _Pairs):
        raise InvalidRequest("The body must be a JSON object or a form.")
    return [(name, str(member) if isinstance(member, str | int) else "") for name, member in value]


def _multipart(body: str, content_type: str) -> list[tuple[str, str]]:
    """The parts' names and texts. The standard library's parser takes 5 ms, and 0.6 s for a body made to hurt."""
    boundary = _BOUNDARY.search(content_type)
    parts = f"\r\n{body}".split(f"\r\n--{boundary[1]}") if boundary else []
    fields = []
    for part in parts[1:-1]:
        head, _, text = part.partition("\r\n\r\n")
        if name := _PART_NAME.search(head):
            fields.append((name[1], text))
    if len(parts) < 3 or not parts[-1].startswith("--") or len(fields) < len(parts) - 2:
        raise InvalidRequest("The body is not a multipart form, or `Content-Type` doesn't name its boundary.")
    return fields


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


def network_of(address: str) -> str:
    """What an address is counted as: an IPv4 address by itself (also when mapped into IPv6), IPv6 by its /64."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def network_block_of(network: str) -> str | None:
    """The /56 that an IPv6 network of `network_of` lies in, such as one line of a provider has; None for IPv4."""
    ip = ipaddress.ip_network(network)
    return str(ip.supernet(new_prefix=56)) if isinstance(ip, ipaddress.IPv6Network) else None


def _object(body: str | None, known: Collection[str]) -> dict[str, Any]:
    if body is None or not body.strip():
        raise InvalidRequest("The request has no body. Send a JSON object.")
    if len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise InvalidRequest(f"The body is larger than {MAX_BODY_BYTES // 1024} KB.")
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
    for name, value in pairs:
        if name in members:
            raise InvalidRequest(f"`{quotable(name)[:40]}` is given twice. Give each field once.")
        members[name] = value
    return members


def _phone(fields: Mapping[str, Any]) -> str:
    phone = fields.get("phone")
    if not isinstance(phone, str):
        raise InvalidRequest("`phone` is required: a string in E.164, such as +79000000101.")
    return phone


def _choice[Kind: (Method, ProviderName)](fields: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind | None:
    value = fields.get(name)
    if value is None:
        return None
    return _member(name, value, kind)


def _member[Kind: (Method, ProviderName)](name: str, value: Any, kind: type[Kind]) -> Kind:
    try:
        return kind(value)
    except ValueError:
        raise InvalidRequest(f"`{name}` must be one of {', '.join(kind)}.") from None


def _allowed_methods(
    fields: Mapping[str, Any], method: Method | None, providers_method: Method | None
) -> tuple[Method, ...]:
    value = fields.get("allowed_methods")
    if value is None:
        return (method,) if method else tuple(Method)
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"`allowed_methods` must be a list of {', '.join(Method)}.")
    allowed = tuple(dict.fromkeys(_member("allowed_methods", member, Method) for member in value))
    for named in (method, providers_method):
        if named and named not in allowed:
            raise InvalidRequest(f"`allowed_methods` must hold {named}, which this start itself asks for.")
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


def _return_url(fields: Mapping[str, Any], origins: Collection[str]) -> str | None:
    value = fields.get("return_url")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 2000 or not is_plain(value):
        raise InvalidRequest(f"`return_url` must be a URL of at most 2000 characters{_PLAIN}.")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidRequest("`return_url` is not a URL.") from None
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
