"""Every route of every vendor, from its start to a verification with the evidence that its manifest promises."""

import pytest

from tests.support.client import Api, Vendors
from tests.support.routes import ROUTES, THEIR_CODE, At

SPOKEN = [at for at in ROUTES if at.route.webhook and at.route.webhook.say]


@pytest.mark.parametrize("at", ROUTES, ids=str)
def test_a_route_verifies(api: Api, vendors: Vendors, phone: str, at: At) -> None:
    route = at.route
    started = api.started(phone, provider=at.provider, method=at.method, locale="en")
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
    assert (verified["provider"], verified["method"], verified["evidence"]) == (at.provider, at.method, at.evidence)


@pytest.mark.parametrize("at", SPOKEN, ids=str)
def test_a_mailbox_hears_nothing_of_the_code(api: Api, vendors: Vendors, phone: str, at: At) -> None:
    api.started(phone, provider=at.provider, method=at.method)
    assert [call["spoken"] for call in vendors.calls(phone)] == [None]


def test_a_vendors_code_is_checked_three_times(api: Api, vendors: Vendors, phone: str) -> None:
    started = api.started(phone, provider=THEIR_CODE.provider, method=THEIR_CODE.method)
    code = vendors.told_code(phone, 4)
    wrong = f"{(int(code) + 1) % 10_000:04}"
    for left in (2, 1, 0):
        judged = api.check(started.id, wrong).expect(200)
        assert (judged["valid"], judged["checks_remaining"]) == (False, left)
    assert (judged["status"], judged["reason"]) == ("failed", "checks_exhausted")
    assert api.check(started.id, code).expect(409)["code"] == "verification_not_pending"
