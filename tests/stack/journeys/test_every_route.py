"""Every route of every vendor, from its start to a verification with the evidence that its manifest promises."""

import pytest

from callverify.domain.words import Evidence
from callverify.providers.base import Proof, Route
from callverify.providers.registry import manifests
from tests.support.client import Api, Vendors

ROUTES = [(manifest.name, route) for manifest in manifests() for route in manifest.routes]
SPOKEN = [(name, route) for name, route in ROUTES if route.webhook and route.webhook.say]
PICKED = [(name, route) for name, route in ROUTES if route.code and not route.code.ours]


def route_id(value: object) -> str:
    return str(value.method) if isinstance(value, Route) else str(value)


def evidence(route: Route) -> Evidence:
    if route.code:
        return Evidence.CODE_MATCHED if route.code.ours else Evidence.VENDOR_CODE_MATCHED
    signed = route.webhook is not None and route.webhook.proof is Proof.SIGNATURE
    return Evidence.PROVIDER_SIGNATURE if signed else Evidence.PROVIDER_READ_BACK


@pytest.mark.parametrize(("provider", "route"), ROUTES, ids=route_id)
def test_a_route_verifies(api: Api, vendors: Vendors, phone: str, provider: str, route: Route) -> None:
    started = api.started(phone, provider=provider, method=route.method, locale="en")
    if route.code is None:
        assert vendors.dial(phone, started) == "sent"
    else:
        assert started["challenge"] == {"type": "enter_digits", "length": route.code.digits}
        assert started["checks_remaining"] == (route.code.checks or 5)
        code = vendors.told_code(phone, route.code.digits, asks=bool(route.webhook and route.webhook.say))
        wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
        assert api.check(started.id, wrong).expect(200)["valid"] is False
        assert api.check(started.id, code).expect(200)["valid"] is True
    verified = api.wait_until(started.id, "verified")
    assert (verified["provider"], verified["method"]) == (provider, route.method)
    assert verified["evidence"] == evidence(route)


@pytest.mark.parametrize(("provider", "route"), SPOKEN, ids=route_id)
def test_a_mailbox_hears_nothing_of_the_code(
    api: Api, vendors: Vendors, phone: str, provider: str, route: Route
) -> None:
    api.started(phone, provider=provider, method=route.method)
    assert [call["spoken"] for call in vendors.calls(phone)] == [None]


def test_a_vendors_code_is_checked_three_times(api: Api, vendors: Vendors, phone: str) -> None:
    provider, route = PICKED[0]
    started = api.started(phone, provider=provider, method=route.method)
    code = vendors.told_code(phone, 4)
    wrong = f"{(int(code) + 1) % 10_000:04}"
    for left in (2, 1, 0):
        judged = api.check(started.id, wrong).expect(200)
        assert (judged["valid"], judged["checks_remaining"]) == (False, left)
    assert (judged["status"], judged["reason"]) == ("failed", "checks_exhausted")
    assert api.check(started.id, code).expect(409)["code"] == "verification_not_pending"
