"""What an operator finds in the log: every step of a journey by one id, and the metrics as CloudWatch reads them."""

from typing import Any

import pytest

from callverify.providers.base import Route
from tests.stack.unattended.conftest import ROUTES, TYPED
from tests.support.client import Answer, Api, Operator, Secrets, Vendors, Webhooks, new_phone, until
from tests.support.logs import metrics_of
from tests.support.stacks import ASKED

pytestmark = pytest.mark.short_windows

ALWAYS = {"start-verification", "publish-event", "deliver-event"}
NAMESPACE = "callverify/callverify"
# Of an AWS or a receiver that answers too late, as those of a busy machine may: it is tried again, or done without.
LATE = {
    (f"{name} in Count", "")
    for name in ("Busy", "EventsUndelivered", "EventsUnpublished", "SecretsUnreadable", "UpdatesUnpublished")
}

Metrics = dict[tuple[str, str], float]


def counted_in(lines: list[dict[str, Any]]) -> Metrics:
    """Each metric's last value by its name and unit, and the values of each set of its dimensions."""
    found: Metrics = {}
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == NAMESPACE
        for name, unit, value, dimensions in metrics_of(line, each_set=True):
            by = ", ".join(f"{each} {given}" for each, given in dimensions.items())
            found[f"{name} in {unit}", by] = value
    return found


def answer(api: Api, vendors: Vendors, phone: str, started: Answer, route: Route) -> None:
    if route.code is None:
        vendors.dial(phone, started)
        return
    code = vendors.told_code(phone, route.code.digits, asks=says_the_code(route))
    assert api.check(started.id, code).expect(200)["valid"]


def says_the_code(route: Route) -> bool:
    return bool(route.webhook and route.webhook.say)


def services_of(route: Route) -> set[str]:
    heard = {"receive-webhook"} if route.code is None or says_the_code(route) else set()
    return ALWAYS | heard | ({"check-status"} if route.code else set())


def own_metrics(name: str, route: Route) -> set[tuple[str, str]]:
    """What not every provider has."""
    paid = {("PaidCalls in Count", f"provider {name}")} if route.paid else set()
    asked = {("VendorLatency in Milliseconds", f"provider {name}, action check")} if route.read_back else set()
    pressed = {("KeyPresses in Count", f"provider {name}, method {route.method}")} if says_the_code(route) else set()
    return paid | asked | pressed


@pytest.mark.parametrize(("provider", "route"), ROUTES, ids=lambda each: getattr(each, "method", each))
def test_one_id_finds_every_step_and_its_metrics(
    api: Api, vendors: Vendors, operator: Operator, provider: str, route: Route
) -> None:
    method, services = route.method, services_of(route)
    phone = new_phone()
    started = api.started(phone, provider=provider, method=method)
    answer(api, vendors, phone, started, route)

    def lines() -> list[dict[str, Any]]:
        return operator.log_lines(started.id.removeprefix("vrf_"))

    def is_whole(lines: list[dict[str, Any]]) -> bool:
        delivered = [line["event_id"] for line in lines if line.get("message") == "event delivered"]
        published = [event for line in lines if line.get("message") == "events published" for event in line["events"]]
        of_it = [event for event in published if started.id.removeprefix("vrf_") in event]
        return len(delivered) == len(of_it) == 3 and {line["service"] for line in lines} == services

    found = until(lines, is_whole)
    for name in ("start-verification", *services & {"check-status", "receive-webhook"}):
        assert [line["request_id"] != "" for line in found if line["service"] == name] == [True], "one line a request"
    (start,) = (line for line in found if line["service"] == "start-verification")
    (attempt,) = start["attempts"]
    assert (attempt["provider"], attempt["method"], attempt["outcome"]) == (provider, method, "started")
    assert (start["message"], start["status"], start["verification_id"]) == ("POST /verifications", 201, started.id)
    assert 0 < attempt["ms"] <= start["ms"]

    metrics = counted_in(found)
    one, both = f"provider {provider}", f"provider {provider}, method {method}"
    metrics.pop(("CodePool in Count", both), None)  # told once this route has shown enough codes
    wanted = own_metrics(provider, route) | {
        ("StartsWithoutEndUserIp in Count", ""),
        ("Started in Count", both),
        ("Verified in Count", both),
        ("SecondsToVerify in Seconds", both),
        ("Conversion in Count", one),
        ("Conversion in Count", f"method {method}"),
        ("ProviderFailures in Count", one),
        ("VendorLatency in Milliseconds", f"{one}, action start"),
    }
    assert (metrics.keys() - wanted - LATE, wanted - metrics.keys()) == (set(), set()), "too many, too few"
    assert metrics["Conversion in Count", one] == 1
    assert metrics["ProviderFailures in Count", one] == 0
    assert 0 < metrics["VendorLatency in Milliseconds", f"{one}, action start"] < 8000


def test_a_window_that_ends_is_a_call_that_did_not_verify(api: Api, operator: Operator) -> None:
    started = api.started(new_phone(), provider=ASKED)
    found = until(
        lambda: counted_in(operator.log_lines(started.id)),
        lambda metrics: ("Conversion in Count", f"provider {ASKED}") in metrics,
    )
    assert found["Conversion in Count", f"provider {ASKED}"] == 0
    assert found["Expired in Count", f"provider {ASKED}, method reverse_call"] == 1


def test_a_vendor_without_money_is_counted_by_its_cause(api: Api, vendors: Vendors, operator: Operator) -> None:
    after = len(operator.log)
    phone = new_phone()
    vendors.fault(TYPED, "no_money", phone=phone)
    failed = api.start(phone, provider=TYPED)
    failed.expect(503, "provider_unavailable")
    counted = ("ConfigurationFaults in Count", "")
    metrics = until(
        lambda: counted_in(operator.log_lines(failed["verification_id"], after)), lambda metrics: counted in metrics
    )
    assert metrics["VendorErrors in Count", f"provider {TYPED}, cause no_money"] == 1
    assert metrics[counted] == 1


def test_a_stranger_at_a_webhook_is_counted(stack: dict[str, str], api: Api, operator: Operator, used: Secrets) -> None:
    started = api.started(new_phone(), provider=ASKED)
    Webhooks(stack, used).send(f"{stack['BASE_URL']}/webhooks/{ASKED}/{started.id}/guessed").expect(404)
    counted = ("ForgedWebhooks in Count", f"provider {ASKED}, cause token")
    assert until(lambda: counted_in(operator.log_lines(started.id)), lambda metrics: counted in metrics)[counted] == 1
