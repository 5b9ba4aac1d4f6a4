"""What the SDKs send, as our service takes it. Whatever can't be honoured is refused by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from callverify.domain.errors import InvalidRequest
from callverify.domain.text import quotable
from callverify.domain.words import Method

FORM = "application/x-www-form-urlencoded"
REVERSE = "sna"  # silent network authentication: as here, there is no code, and a URL to open on the phone
CHANNELS: Mapping[str, Method] = {
    REVERSE: Method.REVERSE_CALL,
    "call": Method.FLASH_CALL,
    "sms": Method.FLASH_CALL,
    "whatsapp": Method.FLASH_CALL,
    "auto": Method.FLASH_CALL,
}
# A value that asks for what is so anyway is taken.
AS_IS: Mapping[str, Collection[str]] = {"RiskCheck": ("enable",), "EnableSnaClientToken": ("false",)}
START = ("To", "Channel", "Locale", "DeviceIp", "Tags")
CHECK = ("Code", "To", "VerificationSid")
UPDATE = ("Status",)
LIST = ("VerificationSid", "VerifyServiceSid", "PageSize", "Page", "PageToken")  # all there is, is on one page
# What Twilio documents besides. There is no text to word, no payment to bind to, and no code but ours.
NOT_HONOURED = frozenset(
    [
        *("CustomFriendlyName", "CustomMessage", "CustomCode", "SendDigits", "Amount", "Payee", "RateLimits"),
        *("ChannelConfiguration", "AppHash", "TemplateSid", "TemplateCustomSubstitutions", "SnaClientToken"),
        *AS_IS,
    ]
)
MOST_PARAMETERS = 40
MAX_LOCALE = 40
_LOCALE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*")
# Our own names in what the service says of a request.
_NAMES = {
    "phone": "To",
    "method": "Channel",
    "metadata": "Tags",
    "end_user_ip": "DeviceIp",
    "locale": "Locale",
    "code": "Code",
}


def parse_form(body: str, content_type: str, known: Collection[str]) -> dict[str, str]:
    """The parameters of a body, of those that are known. Raises InvalidRequest."""
    if content_type.partition(";")[0].strip().lower() not in ("", FORM):
        raise InvalidRequest(f"The body must be a form: send `Content-Type: {FORM}`.")
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise InvalidRequest(f"The body has more than {MOST_PARAMETERS} parameters.") from None
    return each_once(pairs, known)


def each_once(pairs: Sequence[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """The parameters of a form or a query, but empty ones. Raises InvalidRequest."""
    given: dict[str, str] = {}
    for name, text in pairs:
        if name in given:
            raise InvalidRequest(f"Invalid parameter `{quotable(name)[:40]}`: it is given twice.")
        if name in known:
            given[name] = text
        elif name in NOT_HONOURED:
            if text and text.lower() not in AS_IS.get(name, ()):
                raise InvalidRequest(f"Invalid parameter `{name}`: it is not supported here. Leave it out.")
        else:
            allowed = ", ".join(known)
            raise InvalidRequest(
                f"Invalid parameter `{quotable(name)[:40]}`: it is unknown. Known parameters: {allowed}."
            )
    return {name: text for name, text in given.items() if text}


def required(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise InvalidRequest(f"Missing required parameter `{name}`.")
    return given[name]


def channel_of(given: Mapping[str, str]) -> tuple[str, Method]:
    """The channel as it was asked for, and our method. Raises InvalidRequest."""
    channel = required(given, "Channel")
    if channel not in CHANNELS:
        raise InvalidRequest(f"Invalid parameter `Channel`: it must be one of {', '.join(CHANNELS)}.")
    return channel, CHANNELS[channel]


def start_fields(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of our own start beside phone and method. Raises InvalidRequest."""
    fields: dict[str, Any] = {}
    if "DeviceIp" in given:
        fields["end_user_ip"] = given["DeviceIp"]
    if "Locale" in given:
        if len(given["Locale"]) > MAX_LOCALE or not _LOCALE.fullmatch(given["Locale"]):
            raise InvalidRequest("Invalid parameter `Locale`: it must be a language tag such as en or ru-RU.")
        fields["locale"] = "ru" if re.split("[-_]", given["Locale"])[0].lower() == "ru" else "en"
    if "Tags" in given:
        try:
            fields["metadata"] = json.loads(given["Tags"])
        except (ValueError, RecursionError):
            raise InvalidRequest("Invalid parameter `Tags`: it must be a JSON object of strings.") from None
    return fields


def phone_in_path(text: str) -> str:
    """A number as the SDKs write it into a path: +7…, %2B7…, or with a space where a server has decoded the +."""
    text = unquote(text).strip()
    return f"+{text}" if text[:1].isdigit() else text


def in_their_names(detail: str) -> str:
    """What our service says of a request, with the names that the caller knows."""
    return re.sub(r"`(\w+)`", lambda found: f"`{_NAMES.get(found[1], found[1])}`", detail)
