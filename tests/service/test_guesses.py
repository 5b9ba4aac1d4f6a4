"""A guess is spent, then compared; and from there on nothing but the comparison decides the answer."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pytest

from callverify.domain.errors import busy
from callverify.service import check
from callverify.store import Store
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer

FLASH = {"method": "flash_call"}
FULL = {"BrowserTenMinuteLimit": "20"}
ROUNDS = 120  # of checks from a full address; attacks/ makes 10,000


class Comparisons:
    """How many codes were compared, and what happens next in the middle of a comparison."""

    def __init__(self) -> None:
        self.made = 0
        self.happens: list[Callable[[], object]] = []

    def compare_digest(self, one: str, other: str) -> bool:
        self.made += 1
        if self.happens:
            self.happens.pop()()
        return hmac.compare_digest(one, other)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> Comparisons:
    comparisons = Comparisons()
    monkeypatch.setattr(check, "hmac", comparisons)
    return comparisons


def refused(answer: Answer, limit: str) -> None:
    assert (answer.status, answer["code"], answer["limit"]) == (429, "rate_limited", limit), answer.body
    assert answer.headers["Retry-After"] == str(answer["retry_after"])
    assert answer["retry_after"] >= 1


def fill(api: Api, address: str, count: int) -> None:
    """Wrong codes of a browser, five to a verification, until its address is full."""
    for number in range(count // 5):
        phone = f"+790000003{number:02}"
        started = api.start(phone, **FLASH)
        for _ in range(5):
            browser = {"credential": started["client_token"], "source_ip": address}
            assert api.check(started.id, api.wrong_code(phone), **browser)["valid"] is False


@pytest.mark.parametrize("api", [FULL], indirect=True)
def test_a_full_address_is_refused_before_anything_is_compared(api: Api, comparisons: Comparisons) -> None:
    fill(api, "203.0.113.7", 20)
    started = api.start(**FLASH)
    browser = {"credential": started["client_token"], "source_ip": "203.0.113.7"}
    comparisons.made = 0
    right = api.code(PHONE)
    for code in [right, *(f"{number:04d}" for number in range(1, ROUNDS - 1)), right]:
        refused(api.check(started.id, code, **browser), "browser_10m")
    assert comparisons.made == 0, f"compared in one of {ROUNDS} rounds"
    elsewhere = api.status(started.id, credential=started["client_token"], source_ip="203.0.113.8")
    assert (elsewhere["status"], elsewhere["checks_remaining"]) == ("pending", 5)
    # The server is not held up, nor is another browser, nor this one for ever.
    assert api.check(started.id, api.wrong_code(PHONE))["valid"] is False
    other = api.check(started.id, api.wrong_code(PHONE), **{**browser, "source_ip": "203.0.113.8"})
    assert (other["valid"], other["checks_remaining"]) == (False, 3)
    api.advance(299)
    refused(api.check(started.id, right, **browser), "browser_10m")


@pytest.mark.parametrize("api", [{"BrowserTenMinuteLimit": "2"}], indirect=True)
def test_right_codes_fill_no_address(api: Api) -> None:
    for number in range(6):
        phone = f"+790000004{number:02}"
        started = api.start(phone, **FLASH)
        browser = {"credential": started["client_token"], "source_ip": "203.0.113.7"}
        assert api.check(started.id, api.code(phone), **browser)["valid"] is True


@pytest.mark.parametrize("api", [{"BrowserTenMinuteLimit": "1"}], indirect=True)
def test_the_code_that_fills_an_address_is_answered_all_the_same(api: Api, comparisons: Comparisons) -> None:
    """Three browsers behind one address type at once: one has room, and none is refused what was compared."""
    started = {phone: api.start(phone, **FLASH) for phone in ("+79000000050", "+79000000051", "+79000000052")}

    def typed(phone: str, code: str) -> Answer:
        browser = {"credential": started[phone]["client_token"], "source_ip": "203.0.113.7"}
        return api.check(started[phone].id, code, **browser)

    answers = []
    first, second, third = started
    comparisons.happens = [
        lambda: answers.append(typed(third, api.code(third))),
        lambda: answers.append(typed(second, api.wrong_code(second))),
    ]
    answers.append(typed(first, api.wrong_code(first)))
    assert [answer["valid"] for answer in answers] == [True, False, False]
    assert comparisons.made == 3
    refused(typed(first, api.code(first)), "browser_10m")


def test_six_right_checks_at_once_verify_and_exhaust_nothing(api: Api, comparisons: Comparisons) -> None:
    started, right = api.start(**FLASH), api.code(PHONE)
    answers: list[Answer] = []

    def typed() -> None:
        answers.append(api.check(started.id, right))

    # Each comes in the middle of the one before, when all guesses before it are spent and none is judged.
    comparisons.happens = [typed] * 5
    typed()
    assert comparisons.made == 5
    refused(answers[0], "verification_guesses")
    assert [answer["valid"] for answer in answers[1:]] == [True] * 5
    assert api.status(started.id)["status"] == "verified"
    assert api.metrics()["Verified"] == 1
    assert api.metrics()["Failed"] == 0


def test_a_right_check_among_wrong_ones_still_verifies(api: Api, comparisons: Comparisons) -> None:
    """Four wrong ones are judged while the right one is being compared: no guess is left, and it is not over."""
    started, right, wrong = api.start(**FLASH), api.code(PHONE), api.wrong_code(PHONE)
    answers: list[Answer] = []
    comparisons.happens = [lambda: answers.extend(api.check(started.id, wrong) for _ in range(6))]
    answer = api.check(started.id, right)
    assert sorted(each.status for each in answers) == [200] * 4 + [429] * 2
    assert [each["status"] for each in answers if each.status == 200] == ["pending"] * 4
    assert (answer.status, answer["valid"], answer["status"]) == (200, True, "verified")


def test_the_fifth_judged_wrong_ends_it(api: Api) -> None:
    started, wrong = api.start(**FLASH), api.wrong_code(PHONE)
    statuses = [api.check(started.id, wrong)["status"] for _ in range(5)]
    assert statuses == ["pending"] * 4 + ["failed"]
    assert api.status(started.id)["reason"] == "checks_exhausted"
    assert api.check(started.id, api.code(PHONE))["code"] == "verification_not_pending"
    assert api.metrics()["Failed"] == 1


def test_the_code_of_an_attempt_that_is_over_by_then_is_wrong(api: Api, comparisons: Comparisons) -> None:
    """A switch comes between the guess and its comparison: only the latest attempt can succeed."""
    started = api.start(**FLASH, allowed_methods=["flash_call", "reverse_call"])
    api.advance(28)
    comparisons.happens = [lambda: api.switch(started.id, PHONE, "reverse_call")]
    answer = api.check(started.id, api.code(PHONE))
    assert (answer.status, answer["valid"], answer["status"], answer["method"]) == (
        200,
        False,
        "pending",
        "reverse_call",
    )


def test_what_fails_after_the_comparison_changes_no_answer(api: Api, comparisons: Comparisons) -> None:
    """Said to be busy, the browser would send the same wrong code again, and pay for it with another guess."""
    started = api.start(**FLASH)

    def fail(*_: object, **__: object) -> None:
        raise busy()

    with pytest.MonkeyPatch.context() as patched:
        comparisons.happens = [lambda: patched.setattr(Store, "apply", fail)]
        answer = api.check(started.id, api.wrong_code(PHONE), credential=started["client_token"])
    assert (answer.status, answer["valid"], answer["checks_remaining"]) == (200, False, 4)


def test_a_guess_that_was_never_judged_ends_nothing(api: Api, comparisons: Comparisons) -> None:
    """Its process died. What is left of the guesses is four, and a fifth one waits for the end of the window."""
    started, wrong = api.start(**FLASH), api.wrong_code(PHONE)

    def die() -> None:
        raise KeyboardInterrupt

    comparisons.happens = [die]
    with pytest.raises(KeyboardInterrupt):
        api.check(started.id, wrong)
    assert [api.check(started.id, wrong)["status"] for _ in range(4)] == ["pending"] * 4
    refused(api.check(started.id, api.code(PHONE)), "verification_guesses")
    assert api.status(started.id)["status"] == "pending"
    api.advance(300)
    assert api.status(started.id)["status"] == "expired"
