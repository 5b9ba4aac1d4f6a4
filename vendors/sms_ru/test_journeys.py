"""SMS.RU's reports, from the simulator's telephone to the verification: lost, twice, late, old, many, forged."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification
from callverify.domain.words import EndReason, Evidence, Method, Status
from callverify.edge.bodies import parse_webhook
from callverify.providers.base import Line
from callverify.service.webhooks import Request
from simulators.webhooks import Webhook
from tests.support.follow_ups import ask
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.simulators import CREDENTIALS, Simulators
from vendors.sms_ru.forgeries import FORGED, WRITTEN, Forger, as_form, as_multipart, entry

PHONE, OTHER_PHONE = "+79000000011", "+79000000022"
FORGER = Forger(CREDENTIALS["sms_ru"])


class World(Parts):
    def __init__(self, simulators: Simulators) -> None:
        self.simulators = simulators
        self.answers: list[tuple[int, str]] = []
        super().__init__()
        simulators.fill_cabinets(BASE_URL)
        simulators.on_webhook = self._take

    def clock(self) -> float:
        return self.simulators.now

    def lines(self) -> list[Line]:
        return self.simulators.lines("sms_ru")

    def post(self, body: str, content_type: str) -> tuple[int, str]:
        """A report comes to the account's address."""
        parameters: dict[str, tuple[str, ...]] = {}
        for name, value in parse_webhook(body, content_type):
            parameters[name] = (*parameters.get(name, ()), value)
        rest = [str(CREDENTIALS["sms_ru"]["webhook_token"])]
        try:
            answer = 200, self.service.report(Request("sms_ru", rest, lambda: parameters)).body
        except CallverifyError as error:
            answer = error.status, error.code
        self.answers.append(answer)
        return answer

    def _take(self, sent: Webhook) -> tuple[int, str]:
        assert urlsplit(sent.url).path.startswith("/v1/webhooks/sms_ru/")
        fields = [(name, text) for name, (_, text) in sent.parts]
        return self.post(*(as_multipart if sent.multipart else as_form)(fields))

    def start(self, phone: str = PHONE, method: Method = Method.REVERSE_CALL) -> Verification:
        body = json.dumps({"phone": phone, "provider": "sms_ru", "method": method})
        return self.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL).verification

    def dial(self, started: Verification, phone: str = PHONE) -> None:
        assert started.challenge
        self.simulators.dial(phone, started.challenge.number or "")

    def stored(self, started: Verification) -> Verification:
        """As it is, without a question to the vendor."""
        found = self.store.get(started.id, int(self.clock()))
        assert found
        return found

    def asked(self) -> int:
        return sum(each["action"] == "callcheck/status" for each in self.simulators.get("/requests")["requests"])


@pytest.fixture
def world(simulators: Simulators) -> World:
    return World(simulators)


def test_a_report_verifies_by_a_question(world: World) -> None:
    started = world.start()
    world.simulators.advance(3)
    world.dial(started)
    found = world.stored(started)
    assert (found.status, found.evidence) == (Status.VERIFIED, Evidence.PROVIDER_READ_BACK)
    assert world.answers == [(200, "100")]
    assert world.asked() == 1


def test_a_lost_report_is_made_up_for_within_the_window(world: World) -> None:
    world.simulators.fault("sms_ru", "webhook_lost")
    started = world.start()
    world.dial(started)
    ask(world.service, started.id)
    assert world.stored(started).status is Status.VERIFIED
    assert world.clock() < started.expires_at
    assert world.answers == []


def test_a_report_that_comes_twice_verifies_once(world: World) -> None:
    world.simulators.fault("sms_ru", "webhook_twice")
    started = world.start()
    world.simulators.advance(3)
    world.dial(started)
    assert world.stored(started).status is Status.VERIFIED
    assert world.answers == [(200, "100")] * 2


def test_a_late_report_is_taken_and_changes_nothing(world: World) -> None:
    world.simulators.fault("sms_ru", "webhook_late")
    started = world.start()
    world.simulators.advance(3)
    world.dial(started)
    world.simulators.advance(301)
    assert world.answers == [(200, "100")]
    assert world.stored(started).status_at(world.clock())[0] is Status.EXPIRED
    assert world.asked() == 0


def test_a_report_before_the_starts_answer_costs_no_more_than_a_lost_one(world: World) -> None:
    world.simulators.fault("sms_ru", "webhook_before_reply")
    started = world.start()
    assert world.answers == [(200, "100")]
    ask(world.service, started.id)
    assert world.stored(started).status is Status.VERIFIED


def test_an_old_report_is_answered_100_and_only_the_question_decides(world: World) -> None:
    started = world.start()
    world.simulators.advance(3)
    assert world.post(*as_form(FORGER.signed([entry(started.call_id or "", 1)]))) == (200, "100")
    assert world.asked() == 1
    assert world.stored(started).status is Status.PENDING
    world.simulators.advance(2)
    world.dial(started)  # reported while the first report is still being asked about: that will do
    assert world.asked() == 1
    for _ in range(2):
        world.bring_follow_ups()
    assert world.stored(started).status is Status.VERIFIED


@pytest.mark.parametrize("names", ["data[0]", "data[1]", "data[]"])
@pytest.mark.parametrize("multipart", [False, True])
def test_a_report_among_others(world: World, names: str, multipart: bool) -> None:
    world.simulators.fault("sms_ru", "webhook_form", names=names, multipart=multipart, others=True)
    started = world.start()
    world.simulators.advance(3)
    world.dial(started)
    assert world.stored(started).status is Status.VERIFIED
    assert world.answers == [(200, "100")]


def test_one_report_of_two_calls(world: World) -> None:
    first, second = world.start(), world.start(OTHER_PHONE)
    world.simulators.advance(3)
    world.simulators.fault("sms_ru", "webhook_lost", times=2)
    world.dial(first)
    world.dial(second, OTHER_PHONE)
    entries = [entry(each.call_id or "", int(world.clock())) for each in (first, second)]
    assert world.post(*as_form(FORGER.signed(entries))) == (200, "100")
    assert [world.stored(each).status for each in (first, second)] == [Status.VERIFIED] * 2


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_report_is_not_even_asked_about(world: World, forged: str, written: str) -> None:
    started = world.start()
    world.simulators.advance(3)
    world.simulators.fault("sms_ru", "webhook_lost")
    world.dial(started)
    at = int(world.clock())
    report = FORGED[forged](FORGER, entry("201737-1", at), entry(started.call_id or "", at))
    assert world.post(*WRITTEN[written](report)) == (403, "forbidden")
    assert world.asked() == 0
    assert world.stored(started).status is Status.PENDING


def test_a_report_of_another_call_asks_about_none(world: World) -> None:
    started = world.start()
    world.simulators.advance(3)
    assert world.post(*as_form(FORGER.signed([entry("201737-1", 1)]))) == (200, "100")
    assert world.asked() == 0
    assert world.stored(started).status is Status.PENDING


@pytest.mark.parametrize("mode", ["same_number", "same_id"])
def test_a_call_of_the_session_before_verifies_no_other(world: World, mode: str) -> None:
    first = world.start()
    world.service.cancel(LIVE, first.id, None)
    world.simulators.advance(30)
    world.simulators.fault("sms_ru", mode)
    with pytest.raises(CallverifyError) as caught:
        world.start()
    assert (caught.value.status, caught.value.code) == (503, "no_provider_available")
    world.dial(first)
    assert Status.VERIFIED not in {item["status"]["S"] for item in items(world) if "status" in item}


def items(world: World) -> list[Any]:
    found: list[Any] = world.client.scan(TableName="callverify")["Items"]
    return found


@pytest.mark.parametrize("wrong", [0, 2, 3])
def test_a_flash_call_has_three_checks(world: World, wrong: int) -> None:
    started = world.start(method=Method.FLASH_CALL)
    (ringing,) = world.simulators.incoming(PHONE)
    right = ringing["from"][-4:]
    for distance in range(1, wrong + 1):
        guess = f"{(int(right) + distance) % 10_000:04}"
        assert world.service.check(LIVE, started.id, json.dumps({"code": guess})).valid is False
    if wrong == 3:
        assert world.stored(started).reason is EndReason.CHECKS_EXHAUSTED
        return
    checked = world.service.check(LIVE, started.id, json.dumps({"code": right}))
    assert (checked.valid, checked.verification.evidence) == (True, Evidence.VENDOR_CODE_MATCHED)
