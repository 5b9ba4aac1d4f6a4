from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callverify.domain.words import CallOutcome, Challenge, Deadline, Outcome, Reason
from callverify.providers.base import Client
from callverify.providers.http import Answer, NoAnswer, NotSent, VendorHttp
from callverify.providers.ucaller.client import Client as Ucaller
from tests.support import payloads
from tests.support.cases import line_of, order
from tests.support.fake_vendor import CannedHttp
from tests.support.simulators import Simulators

NAME = "ucaller"
ORDER = order(NAME)
NOW = 1_790_053_160


def reply(body: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())


def client(http: VendorHttp) -> Client:
    return line_of(NAME, http=http).client


def soon() -> Deadline:
    return Deadline.after(5)


def start(answer: Answer) -> CallOutcome:
    return client(http=CannedHttp(answer)).start(ORDER, soon())


def error(code: object, text: str = "some words") -> dict[str, Any]:
    return {"status": False, "error": text, "code": code}


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (0, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (1, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (2, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (3, Outcome.REJECTED, Reason.NUMBER_REFUSED),
        (4, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (5, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (9, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (18, Outcome.REJECTED, Reason.VENDOR_LIMIT),
        (19, Outcome.REJECTED, Reason.VENDOR_LIMIT),
        (20, Outcome.REJECTED, Reason.NUMBER_REFUSED),
        (50, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (405, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (429, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
        (500, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (1001, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (1002, Outcome.UNAVAILABLE, Reason.NO_MONEY),
        (1003, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (1004, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (1005, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
        (77777, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        ("1002", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        (-1, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (None, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
        (True, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    ],
)
def test_errors_of_a_start(code: object, outcome: Outcome, reason: Reason) -> None:
    answered = start(reply(error(code)))
    assert (answered.outcome, answered.reason) == (outcome, reason)
    assert "some words" in (answered.vendor_words or "")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (10, Reason.VENDOR_FAULT),
        (11, Reason.REPEAT_TOO_LATE),
        (12, Reason.REPEATS_SPENT),
        (13, Reason.NOT_SUPPORTED),
        (405, Reason.NOT_SUPPORTED),
        (401, Reason.BAD_CREDENTIALS),
    ],
)
def test_errors_of_a_repeat_are_final(code: int, reason: Reason) -> None:
    http = CannedHttp(reply(error(code)))
    answered = client(http=http).repeat("103000", soon())
    assert (answered.outcome, answered.reason) == (Outcome.UNAVAILABLE, reason)
    assert len(http.urls) == 1


def test_an_error_decides_whatever_the_status_says() -> None:
    assert start(reply({"status": True, "error": "no", "code": 1002})).reason is Reason.NO_MONEY
    assert start(reply({"status": True, "ucaller_id": 1, "error": "no", "code": 3})).outcome is Outcome.REJECTED


def test_a_status_of_false_alone_is_no_error() -> None:
    assert start(reply({"status": False, "ucaller_id": 7, "code": "0427"})) == CallOutcome(
        Outcome.STARTED, challenge=Challenge.enter_digits(4), call_id="7"
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_error_is_no_error(nothing: object) -> None:
    assert start(reply({"status": True, "ucaller_id": 7, "error": nothing})).outcome is Outcome.STARTED


def test_an_error_of_another_form_is_unreadable() -> None:
    assert start(reply({"status": True, "ucaller_id": 7, "error": {"text": "no"}})).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("reported", "differs"),
    [("0427", False), (427, False), ("427", False), ("1234", True), (1234, True), ("0000", True), (None, False)],
)
def test_another_code_than_ours_is_noticed(reported: object, differs: bool) -> None:
    assert start(reply({"status": True, "ucaller_id": 7, "code": reported})).code_differs is differs


def test_a_server_error_is_believed_only_in_the_vendors_own_form() -> None:
    assert start(reply(error(1002), 503)).reason is Reason.NO_MONEY
    assert start(reply({"error": "Bad Gateway"}, 502)) == CallOutcome(
        Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words="HTTP 502"
    )


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (404, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (429, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    ],
)
def test_a_bare_http_status(status: int, outcome: Outcome, reason: Reason) -> None:
    answered = start(Answer(status, b"<html></html>"))
    assert (answered.outcome, answered.reason) == (outcome, reason)


def test_the_code_keeps_its_zeros_and_the_phone_is_a_number() -> None:
    http = CannedHttp(reply({"status": True, "ucaller_id": 7}))
    client(http=http).start(ORDER, soon())
    assert http.asked == [{"phone": 79000000001, "code": "0427", "unique": "attempt-1"}]


def test_a_flash_call_without_a_code_is_our_own_mistake() -> None:
    from dataclasses import replace

    http = CannedHttp()
    with pytest.raises(ValueError, match="code"):
        client(http=http).start(replace(ORDER, code=None), soon())


@pytest.mark.parametrize("service_id", [103000, "103000"])
def test_the_service_id_may_be_text(service_id: object) -> None:
    line_of(NAME, service_id=service_id)


# A repeat


def at(now: float, http: VendorHttp) -> Ucaller:
    values = {"key": "key", "service_id": "1"}
    return Ucaller(values, "https://vendor.example", http, clock=lambda: now)


def repeat(
    *answers: Answer | Exception, now: float = NOW, deadline: Deadline | None = None
) -> tuple[CallOutcome, CannedHttp]:
    http = CannedHttp(*answers)
    answered = at(now, http).repeat("103000", deadline or soon())
    return answered, http


def info(uid: int = 103000, **fields: object) -> Answer:
    return reply({"status": True, "ucaller_id": uid, "init_time": NOW - 70, "call_status": 0, **fields})


LOST = NoAnswer(timed_out=True)
UNKNOWN = CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)


def test_a_repeat_asks_by_number_and_keeps_the_new_id() -> None:
    answered, http = repeat(reply({"status": True, "ucaller_id": 103001, "free_repeated": True}))
    assert answered == CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(4), call_id="103001")
    assert http.asked == [{"uid": 103000}]
    assert http.urls == ["https://vendor.example/v1.0/initRepeat"]


def test_a_repeat_whose_answer_was_lost_is_found_again() -> None:
    first, newest = info(repeated_ucaller_ids=[103001, 103002]), info(103002, init_time=NOW + 1)
    answered, http = repeat(LOST, first, newest)
    assert answered == CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(4), call_id="103002")
    assert http.asked == [{"uid": 103000}, {"uid": 103000}, {"uid": 103002}]


@pytest.mark.parametrize(
    "answers",
    [
        [info()],
        [info(repeated_ucaller_ids=[])],
        [info(repeated_ucaller_ids="103001")],
        [info(repeated_ucaller_ids=[True, None, "x"])],
        [info(repeated_ucaller_ids=[103001]), info(103001, init_time=NOW - 61)],  # the repeat before this one
        [info(repeated_ucaller_ids=[103001]), info(103001, init_time=None)],
        [info(repeated_ucaller_ids=[103001]), info(103000, init_time=NOW)],  # another call's
        [info(repeated_ucaller_ids=[103001]), reply(error(10))],
        [info(repeated_ucaller_ids=[103001]), LOST],
        [reply(error(10))],
        [reply({"repeated_ucaller_ids": [103001]}, 500)],
        [LOST],
        [NotSent("no time left")],
        [Answer(200, b"<html>")],
        [Answer(200, payloads.load(NAME, "info_unreachable").content)],  # another call's
    ],
)
def test_a_repeat_whose_answer_was_lost_stays_unknown_without_proof(answers: list[Answer | Exception]) -> None:
    answered, http = repeat(LOST, *answers)
    assert answered == UNKNOWN
    assert not http.answers


def test_a_captured_getinfo_is_read() -> None:
    captured = payloads.load(NAME, "info_unreachable")
    http = CannedHttp(LOST, Answer(200, captured.content))
    answered = at(NOW, http).repeat("57251394", soon())
    assert answered == UNKNOWN  # no repeat in it


def test_a_lost_repeat_leaves_time_to_ask() -> None:
    """The first request gets two thirds of what is left."""
    given: list[float] = []

    class Watching(CannedHttp):
        def send(self, method: str, url: str, *, deadline: Deadline, **request: object) -> Answer:
            given.append(deadline.remaining())
            return super().send(method, url, deadline=deadline, **request)

    http = Watching(LOST, info())
    at(NOW, http).repeat("103000", Deadline(at=106.0, now=lambda: 100.0))
    assert given == [pytest.approx(4.0), pytest.approx(6.0)]


def test_an_id_that_is_none_asks_nothing() -> None:
    http = CannedHttp()
    assert client(http=http).repeat("../x", soon()).outcome is Outcome.UNAVAILABLE
    assert not http.urls


def test_a_repeat_that_is_answered_405_spends_none(simulators: Simulators) -> None:
    line, *_ = simulators.lines(NAME)
    first = simulators.order(line)
    assert first.call_id
    simulators.advance(line.route.repeat_after)
    simulators.fault(NAME, "repeat_405")
    assert line.client.repeat(first.call_id, soon()).reason is Reason.NOT_SUPPORTED
    for _ in range(line.route.repeats):
        assert line.client.repeat(first.call_id, soon()).outcome is Outcome.STARTED
        simulators.advance(line.route.repeat_after)
    assert line.client.repeat(first.call_id, soon()).reason is Reason.REPEATS_SPENT
