"""A manifest is data that the service acts on: another value of a field, another behaviour."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from callverify.domain import errors
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.verification import Verification
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    CallReport,
    Deadline,
    Evidence,
    Method,
    Status,
    Verdict,
)
from callverify.providers import registry
from callverify.providers.base import (
    Identifies,
    Line,
    Manifest,
    Option,
    Per,
    Proof,
    Route,
    Webhook,
    Window,
    our_code,
)
from callverify.providers.credentials import Either, Number, Text
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.service.policy import Policy
from callverify.service.webhooks import Request
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.vendors import ACCOUNT_TOKEN, FakeVendor, Mood

PHONE, OTHER_PHONE = "+79000000011", "+79000000022"
FLASH = Route(Method.FLASH_CALL, Window(default=300, most=300), paid=True, code=our_code(4))
REVERSE = Route(Method.REVERSE_CALL, Window(default=120, most=120), paid=False, read_back=True)
HINTS = Webhook(Per.VERIFICATION, Proof.HINT)
SIGNED = Webhook(Per.ACCOUNT, Proof.SIGNATURE)
BY_SIGNED_PHONE = replace(REVERSE, read_back=False, identifies=Identifies.BY_PHONE, webhook=SIGNED)


def made(*routes: Route, name: str = "made_up") -> Manifest:
    return Manifest(name, "Made-up", "https://vendor.example", (Text("key"),), routes)


class World:
    """One vendor with one route, unless more are named."""

    def __init__(self, *routes: Route, policy: Policy = Policy()) -> None:  # noqa: B008 (a value)
        self.parts = Parts(manifests=[made(*routes)], policy=policy)
        self.orders: list[CallOrder] = []
        vendor = self.vendor
        started = vendor.start

        def start(order: CallOrder, deadline: Deadline) -> CallOutcome:
            self.orders.append(order)
            return started(order, deadline)

        vendor.start = start  # type: ignore[method-assign]

    @property
    def vendor(self) -> FakeVendor:
        return self.parts.vendors[0]

    def start(self, phone: str = PHONE, **more: Any) -> Verification:
        body = json.dumps({"phone": phone} | more)
        return self.parts.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL).verification

    def read(self, verification: Verification) -> Verification:
        return self.parts.service.read(LIVE, verification.id)

    def wait(self, seconds: float) -> None:
        self.parts.now += seconds

    def report(self, phone: str = PHONE) -> str:
        """The phone calls, and the vendor reports it. Returns what the report is answered with."""
        ((rest, parameters),) = self.vendor.dial(phone)
        return self.parts.service.report(Request(self.vendor.name, rest, lambda: parameters)).body

    def counted(self, metric: str) -> int:
        return [name for name, _ in self.parts.observer.counts].count(metric)


# Route.window


@pytest.mark.parametrize("seconds", [120, 300])
def test_window(seconds: int) -> None:
    world = World(replace(REVERSE, window=Window(default=seconds, most=900)))
    started = world.start()
    assert started.expires_at - started.created_at == seconds
    world.wait(seconds - 1)
    assert world.read(started).status_at(world.parts.now)[0] is Status.PENDING
    world.wait(1)
    assert world.read(started).status_at(world.parts.now)[0] is Status.EXPIRED


# Route.method


@pytest.mark.parametrize(("route", "other"), [(FLASH, Method.REVERSE_CALL), (REVERSE, Method.FLASH_CALL)])
def test_method(route: Route, other: Method) -> None:
    world = World(route)
    assert world.start().allowed_methods == (route.method,)
    with pytest.raises(errors.NoProviderAvailable):
        world.start(OTHER_PHONE, method=other)


def test_a_second_method_is_a_second_route() -> None:
    world = World(REVERSE, FLASH)
    assert world.start(method=Method.FLASH_CALL).provider == "made_up"
    assert world.start(OTHER_PHONE, method=Method.REVERSE_CALL).provider == "made_up"


# Route.paid


@pytest.mark.parametrize("paid", [True, False])
def test_paid(paid: bool) -> None:
    world = World(replace(FLASH, paid=paid), policy=Policy(key_paid_day=1))
    world.start()
    assert world.counted("PaidCalls") == paid
    if paid:
        with pytest.raises(errors.RateLimited) as caught:
            world.start(OTHER_PHONE)
        assert caught.value.limit == "key_paid_day"
    else:
        world.start(OTHER_PHONE)


@pytest.mark.parametrize(("silent_paid", "next_paid"), [(True, True), (True, False), (False, True), (False, False)])
def test_nothing_paid_is_tried_after_a_paid_unknown_outcome(silent_paid: bool, next_paid: bool) -> None:
    silent = made(replace(REVERSE, paid=silent_paid), name="silent")
    after = made(replace(FLASH, paid=next_paid), name="next")
    parts = Parts(manifests=[silent, after])
    parts.order = ["silent:reverse_call", "next:flash_call"]  # else what is free would go first
    parts.vendor("silent").mood = Mood.DEAF
    body = json.dumps({"phone": PHONE})
    stops = silent_paid and next_paid
    if stops:
        with pytest.raises(errors.ProviderUnavailable):
            parts.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL)
    else:
        started = parts.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL).verification
        assert started.provider == "next"
    assert parts.vendor("next").asked == (not stops)


# Route.code


@pytest.mark.parametrize("digits", [4, 6])
def test_code_digits(digits: int) -> None:
    world = World(replace(FLASH, code=our_code(digits)))
    started = world.start()
    assert started.challenge
    assert started.challenge.length == digits
    code = world.vendor.last_code(PHONE)
    assert code
    assert len(code) == digits
    with pytest.raises(errors.InvalidRequest):
        world.parts.service.check(LIVE, started.id, json.dumps({"code": "0" * (10 - digits)}))
    checked = world.parts.service.check(LIVE, started.id, json.dumps({"code": code}))
    assert checked.verification.evidence is Evidence.CODE_MATCHED


def test_without_a_code_the_user_dials() -> None:
    world = World(REVERSE)
    started = world.start()
    assert started.challenge
    assert started.challenge.type == "call_number"
    assert world.orders[0].code is None
    with pytest.raises(errors.MethodHasNoCode):
        world.parts.service.check(LIVE, started.id, json.dumps({"code": "0000"}))


# Route.identifies


@pytest.mark.parametrize("identifies", Identifies)
def test_identifies(identifies: Identifies) -> None:
    """A provider that knows calls by phone alone waits for those of an earlier session."""
    world = World(replace(BY_SIGNED_PHONE, identifies=identifies))
    world.start()
    world.wait(121)
    if identifies is Identifies.BY_CALL_ID:
        world.start()
        return
    with pytest.raises(errors.NoProviderAvailable) as caught:
        world.start()
    assert caught.value.retry_after == 599
    world.wait(599)
    world.start()


# Route.webhook


@pytest.mark.parametrize("per", Per)
def test_webhook_per(per: Per) -> None:
    world = World(replace(REVERSE, webhook=Webhook(per, Proof.HINT)))
    started = world.start()
    url = world.orders[0].webhook_url
    token = world.parts.keys.webhook_token(started.id)
    if per is Per.VERIFICATION:
        assert url == f"{BASE_URL}/webhooks/made_up/{started.id}/{token}"
        right, wrong = [started.id, token], [ACCOUNT_TOKEN]
    else:
        assert url is None
        right, wrong = [ACCOUNT_TOKEN], [started.id, token]
    parameters = {"phone": (PHONE,), "said": ("1",)}
    world.parts.service.report(Request("made_up", right, lambda: parameters))
    with pytest.raises(errors.NotFound):
        world.parts.service.report(Request("made_up", wrong, lambda: parameters))


@pytest.mark.parametrize("proof", Proof)
def test_webhook_proof(proof: Proof) -> None:
    """A hint by itself proves nothing; a signed report does."""
    per = Per.VERIFICATION if proof is Proof.HINT else Per.ACCOUNT
    world = World(replace(REVERSE, read_back=False, webhook=Webhook(per, proof)))
    started = world.start()
    world.report()
    read = world.read(started)
    if proof is Proof.HINT:
        assert read.status is Status.PENDING
    else:
        assert (read.status, read.evidence) == (Status.VERIFIED, Evidence.PROVIDER_SIGNATURE)


@pytest.mark.parametrize("answer", ["OK", "100"])
def test_webhook_answer(answer: str) -> None:
    world = World(replace(REVERSE, webhook=replace(HINTS, answer=answer)))
    world.start()
    assert world.report() == answer


def test_without_a_webhook_nobody_reports() -> None:
    world = World(REVERSE)
    started = world.start()
    assert world.orders[0].webhook_url is None
    rest = [started.id, world.parts.keys.webhook_token(started.id)]
    with pytest.raises(errors.NotFound):
        world.parts.service.report(Request("made_up", rest, dict))


# Route.read_back, names_caller


@pytest.mark.parametrize("read_back", [True, False])
def test_read_back(read_back: bool) -> None:
    world = World(replace(REVERSE, read_back=read_back, webhook=HINTS))
    started = world.start()
    world.report()
    read = world.read(started)
    assert read.status is (Status.VERIFIED if read_back else Status.PENDING)
    assert read.evidence is (Evidence.PROVIDER_READ_BACK if read_back else None)


@pytest.mark.parametrize("names_caller", [True, False])
@pytest.mark.parametrize("verdict", Verdict)
def test_names_caller(names_caller: bool, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that names nobody is believed where the route says that it does, and only if it says that one called."""
    world = World(replace(REVERSE, names_caller=names_caller, webhook=HINTS))
    started = world.start()
    evidence = Evidence.PROVIDER_READ_BACK
    monkeypatch.setattr(world.vendor, "check", lambda id_, _: CallReport(verdict, call_id=id_, evidence=evidence))
    world.report()
    believed = verdict is Verdict.CONFIRMED and not names_caller
    assert world.read(started).status is (Status.VERIFIED if believed else Status.PENDING)


def test_a_check_that_names_somebody_is_compared_where_it_need_not() -> None:
    world = World(replace(REVERSE, names_caller=False))
    started = world.start()
    world.vendor.dial(PHONE)
    world.vendor.awaited["1"].phone = OTHER_PHONE
    world.wait(60)
    assert world.read(started).status is Status.PENDING


# Route.repeats, repeat_after


@pytest.mark.parametrize("repeats", [0, 1, 2])
def test_repeats(repeats: int) -> None:
    world = World(replace(FLASH, repeats=repeats, repeat_after=60 if repeats else 0))
    started = world.start()
    assert started.repeats_remaining == repeats
    for left in reversed(range(repeats)):
        world.wait(61)
        assert repeat(world, started).repeats_remaining == left
    world.wait(61)
    with pytest.raises(errors.RepeatExhausted if repeats else errors.RepeatNotSupported):
        repeat(world, started)
    assert len(world.vendor.repeated) == repeats


@pytest.mark.parametrize("seconds", [30, 60])
def test_repeat_after(seconds: int) -> None:
    world = World(replace(FLASH, repeats=1, repeat_after=seconds))
    started = world.start()
    # One more second than the vendor wants, since ours are whole ones.
    assert started.repeat_at == started.created_at + seconds + 1
    world.wait(seconds)
    with pytest.raises(errors.RepeatTooSoon) as caught:
        repeat(world, started)
    assert caught.value.retry_after == 1
    world.wait(1)
    repeat(world, started)


def repeat(world: World, verification: Verification) -> Verification:
    done = world.parts.service.repeat(LIVE, verification.id, None, idempotency_key=None, base_url=BASE_URL)
    return done.verification


# Route.resends_safely


@pytest.mark.parametrize("resends_safely", [True, False])
def test_resends_safely(resends_safely: bool) -> None:
    world = World(replace(FLASH, resends_safely=resends_safely))
    world.vendor.mood = Mood.SILENT
    began = world.parts.now
    world.start()
    assert world.parts.now - began == VENDOR_SECONDS  # all of it, however often it is asked
    assert world.vendor.asked == (2 if resends_safely else 1)
    assert len(world.vendor.paid) == 1
    assert len({order.unique for order in world.orders}) == 1


# What an operator may set: Manifest.credentials, options, base_url, name, and Window.most


class Client:
    """Keeps what it was made with."""

    def __init__(self, values: dict[str, str], base_url: str, http: VendorHttp) -> None:  # noqa: ARG002
        self.values, self.base_url = values, base_url


def lines(monkeypatch: pytest.MonkeyPatch, manifest: Manifest, **given: Any) -> list[Line]:
    monkeypatch.setattr(registry, "manifest", lambda _: manifest)
    monkeypatch.setattr(registry, "import_module", lambda _: SimpleNamespace(Client=Client))
    return registry.lines(manifest.name, given, VendorHttp())


def fault(monkeypatch: pytest.MonkeyPatch, manifest: Manifest, **given: Any) -> str:
    with pytest.raises(errors.ConfigurationFault) as caught:
        lines(monkeypatch, manifest, **given)
    return caught.value.setting.removeprefix("provider-credentials: made_up")


@pytest.mark.parametrize("most", [120, 900])
def test_window_most(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    manifest = made(replace(REVERSE, window=Window(default=100, most=most)), FLASH)
    assert [line.window for line in lines(monkeypatch, manifest, key="k")] == [100, 300]
    assert [line.window for line in lines(monkeypatch, manifest, key="k", window_seconds=most // 10)] == [
        most // 10
    ] * 2
    by_method = {"reverse_call": most, "flash_call": 200}
    assert [line.window for line in lines(monkeypatch, manifest, key="k", window_seconds=by_method)] == [most, 200]
    assert [line.window for line in lines(monkeypatch, manifest, key="k", window_seconds={"flash_call": 9})] == [100, 9]
    for wrong in (most + 1, {"reverse_call": most + 1}, 0, -1, True, 1.5, "60", None, {"sms": 60}, [60]):
        assert fault(monkeypatch, manifest, key="k", window_seconds=wrong) == ".window_seconds"


def test_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = made(REVERSE)
    assert fault(monkeypatch, manifest) == ".key"
    assert fault(monkeypatch, manifest, key="k", secret="s") == ""  # unknown
    both = replace(manifest, credentials=(Text("secret", least=16), Number("service")))
    assert fault(monkeypatch, both, secret="s" * 15, service=1) == ".secret"
    assert fault(monkeypatch, both, secret="s" * 16, service="one") == ".service"
    (line,) = lines(monkeypatch, both, secret="s" * 16, service=1)
    assert values_of(line) == {"secret": "s" * 16, "service": "1"}
    either = replace(manifest, credentials=(Either(((Text("key"),), (Text("login"), Text("psw")))),))
    assert values_of(lines(monkeypatch, either, key="k")[0]) == {"key": "k"}
    assert values_of(lines(monkeypatch, either, login="l", psw="p")[0]) == {"login": "l", "psw": "p"}
    assert fault(monkeypatch, either, login="l") == ".psw"
    account = replace(made(BY_SIGNED_PHONE), credentials=(Text("webhook_token"),))
    assert lines(monkeypatch, account, webhook_token="t")[0].webhook_token == "t"


def values_of(line: Line) -> dict[str, str]:
    assert isinstance(line.client, Client)
    return line.client.values


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = replace(made(REVERSE), options=(Option("start", ("post", "get")),))
    assert values_of(lines(monkeypatch, manifest, key="k")[0])["start"] == "post"
    assert values_of(lines(monkeypatch, manifest, key="k", start="get")[0])["start"] == "get"
    for wrong in ("put", "", None, 1):
        assert fault(monkeypatch, manifest, key="k", start=wrong) == ".start"
    assert fault(monkeypatch, made(REVERSE), key="k", start="get") == ""  # unknown


def test_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(manifest: Manifest, **given: Any) -> str:
        (line,) = lines(monkeypatch, manifest, key="k", **given)
        assert isinstance(line.client, Client)
        return line.client.base_url

    manifest = made(REVERSE)
    assert asked(manifest) == "https://vendor.example"
    assert asked(replace(manifest, base_url="https://other.example")) == "https://other.example"
    assert asked(manifest, base_url="https://skin.example/") == "https://skin.example"
    assert asked(manifest, base_url="http://127.0.0.1:8080/made_up") == "http://127.0.0.1:8080/made_up"
    for wrong in ("http://vendor.example", "ftp://vendor.example", "vendor.example", "https://", "", 1, None):
        assert fault(monkeypatch, manifest, key="k", base_url=wrong) == ".base_url"


def test_methods_may_be_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = made(REVERSE, FLASH)
    assert [line.method for line in lines(monkeypatch, manifest, key="k")] == [Method.REVERSE_CALL, Method.FLASH_CALL]
    assert [line.method for line in lines(monkeypatch, manifest, key="k", methods=["flash_call"])] == [
        Method.FLASH_CALL
    ]
    for wrong in (["sms"], "flash_call", None, 1):
        assert fault(monkeypatch, manifest, key="k", methods=wrong) == ".methods"


def test_name() -> None:
    """It is what callers choose by, and what the record tells them."""
    first, second = NAMES[:2]
    parts = Parts(manifests=[made(REVERSE, name=first), made(REVERSE, name=second)])
    body = json.dumps({"phone": PHONE, "provider": second})
    assert parts.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL).verification.provider == second
    unknown = json.dumps({"phone": OTHER_PHONE, "provider": "made_up"})
    with pytest.raises(errors.InvalidRequest):
        parts.service.start(LIVE, unknown, idempotency_key=None, base_url=BASE_URL)
