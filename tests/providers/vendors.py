"""What the battery of contract tests has to know of each vendor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from callverify.models import CallOrder, Phone, ProviderName
from callverify.providers import PROVIDERS
from callverify.providers.base import Provider, ProviderSettings
from callverify.providers.http import VendorHttp
from tests.support.fake_vendor import SeenRequest

PHONE = Phone(e164="+79000000001", region="RU", mask="+7******0001")
ORDER = CallOrder(
    phone=PHONE,
    unique="attempt-1",
    code="0427",
    webhook_url="https://verify.example/v1/webhooks/telefon-ip/vrf_1/token-of-vrf_1",
)


def webhook_token(verification_id: str) -> str:
    return f"token-of-{verification_id}"


def configure(
    name: ProviderName,
    base_url: str = "https://vendor.example",
    *,
    http: VendorHttp | None = None,
    start_by: str = "post",
    credentials: Mapping[str, Any] | None = None,
) -> Provider:
    settings = ProviderSettings(base_url, 300, http or VendorHttp(), webhook_token, start_by)
    return PROVIDERS[name].configure(VENDORS[name].credentials if credentials is None else credentials, settings)


@dataclass(frozen=True)
class VendorCase:
    """What a vendor is given, and what it should be asked.

    credentials: made up, and all that are required. secrets: which of their values may never be seen. webhook_token:
    the path token of verification vrf_1, if there are webhooks. check_request: asserts that a start's request goes to
    the right place, with the right credentials and in the vendor's format.
    """

    credentials: Mapping[str, Any]
    secrets: tuple[str, ...]
    webhook_token: str | None
    check_request: Callable[[SeenRequest], None]


def _check_ucaller(request: SeenRequest) -> None:
    assert (request.method, request.path, request.query) == ("POST", "/v1.0/initCall", "")
    assert request.headers["authorization"] == "Bearer 0123456789abcdefmade-up-key.103000"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"phone": 79000000001, "code": "0427", "unique": "attempt-1"}


def _check_telefon_ip(request: SeenRequest) -> None:
    path = "/api/v1/authcalls/made-up-token-of-telefon-ip/reverse_auth_phone_post"
    assert (request.method, request.path, request.query) == ("POST", path, "")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"phone": "89000000001", "webhook": ORDER.webhook_url}


def _check_smsc(request: SeenRequest) -> None:
    assert (request.method, request.path, request.query) == ("POST", "/sys/wait_call.php", "")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "login": ["made-up-login"],
        "psw": ["made-up psw/&ы"],
        "phone": ["79000000001"],
        "fmt": ["3"],
        "charset": ["utf-8"],
    }


VENDORS: dict[ProviderName, VendorCase] = {
    ProviderName.UCALLER: VendorCase(
        credentials={"key": "0123456789abcdefmade-up-key", "service_id": 103000},
        secrets=("0123456789abcdefmade-up-key",),
        webhook_token=None,
        check_request=_check_ucaller,
    ),
    ProviderName.TELEFON_IP: VendorCase(
        credentials={"token": "made-up-token-of-telefon-ip"},
        secrets=("made-up-token-of-telefon-ip",),
        webhook_token=webhook_token("vrf_1"),
        check_request=_check_telefon_ip,
    ),
    ProviderName.SMSC: VendorCase(
        credentials={
            "login": "made-up-login",
            "psw": "made-up psw/&ы",
            "callback_secret": "made-up-callback-secret",
            "webhook_token": "made-up-webhook-token",
        },
        secrets=("made-up-login", "made-up psw/&ы", "made-up-callback-secret", "made-up-webhook-token"),
        webhook_token="made-up-webhook-token",
        check_request=_check_smsc,
    ),
}
