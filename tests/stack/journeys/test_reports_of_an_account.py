"""SMS.RU reports all calls of an account to one address: many in a post, each until it hears `100`."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from tests.support.client import PATIENCE, Api, Operator, Vendors, new_phone, until
from tests.support.forgeries import Pairs
from vendors.sms_ru.forgeries import FORGED, WRITTEN, Forger, entry

OLD = 1_600_000_000
OTHERS = [
    f"sms_status\n000000-10000000\n103\n{OLD}",
    entry("201737-1", OLD, status="402"),
    "balance",
]


class Account:
    """The account's address: what the vendor posts there, by itself or forged."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._url = env["SMS_RU_WEBHOOK_URL"]
        self.forger = Forger({"api_id": env["SMS_RU_API_ID"]})

    def post(self, report: Pairs, written: str = "form", *, token: str | None = None) -> tuple[int, str]:
        body, content_type = WRITTEN[written](report)
        url = self._url if token is None else f"{self._url.rsplit('/', 1)[0]}/{token}"
        answer = requests.post(
            url, data=body.encode("latin-1"), headers={"Content-Type": content_type}, timeout=PATIENCE
        )
        return answer.status_code, answer.text


@pytest.fixture(scope="session")
def account(stack: dict[str, str]) -> Account:
    return Account(stack)


class Waiting:
    """A verification whose user has called; the vendor's own report is lost."""

    def __init__(self, api: Api, vendors: Vendors, operator: Operator) -> None:
        phone = new_phone()
        vendors.fault("sms_ru", "webhook_lost", phone=phone)
        started = api.started(phone, provider="sms_ru", method="reverse_call")
        assert vendors.dial(phone, started) == "lost"
        self.id, self._operator = started.id, operator
        self.call_id = str(self._record["call_id"])

    @property
    def _record(self) -> Mapping[str, Any]:
        return self._operator.record(self.id)

    @property
    def status(self) -> str:
        """As it is on record: a read might ask the vendor."""
        return str(self._record["status"])


Called = Callable[[], Waiting]


@pytest.fixture
def called(api: Api, vendors: Vendors, operator: Operator) -> Called:
    return lambda: Waiting(api, vendors, operator)


@pytest.mark.parametrize("written", ["form", "multipart", "JSON"])
def test_each_call_of_a_post_is_heard_whatever_else_is_in_it(account: Account, called: Called, written: str) -> None:
    calls = [called() for _ in range(3)]
    now = int(time.time())
    entries = [OTHERS[0], *(entry(each.call_id, now) for each in calls), *OTHERS[1:]]
    assert account.post(account.forger.signed(entries), written) == (200, "100")
    assert [each.status for each in calls] == ["verified"] * 3


def test_what_is_no_call_is_taken_and_ignored(account: Account) -> None:
    assert account.post(account.forger.signed(OTHERS)) == (200, "100")


@pytest.mark.parametrize("at", [1, OLD, 4_000_000_000, "never"])
def test_the_time_of_a_report_is_not_judged(account: Account, called: Called, at: int) -> None:
    waiting = called()
    assert account.post(account.forger.signed([entry(waiting.call_id, at)])) == (200, "100")
    assert waiting.status == "verified"


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_report_is_refused(account: Account, name: str, written: str) -> None:
    # What a stranger may know: a report of a call that is over, and the id that they wish were called.
    seen, wanted = entry("201737-1", OLD), entry("201737-2", OLD)
    status, body = account.post(FORGED[name](account.forger, seen, wanted), written)
    assert status == 403
    assert body != "100"


def test_a_forged_report_verifies_nobody(account: Account, called: Called) -> None:
    waiting = called()
    now = int(time.time())
    report = FORGED["another call under a good hash"](
        account.forger, entry("201737-1", now), entry(waiting.call_id, now)
    )
    assert account.post(report)[0] == 403
    assert waiting.status == "pending"


def test_another_address_is_nobodys(account: Account, called: Called) -> None:
    waiting = called()
    report = account.forger.signed([entry(waiting.call_id, int(time.time()))])
    assert account.post(report, token="guessed")[0] == 404
    assert waiting.status == "pending"


def test_the_vendor_repeats_a_report_until_it_hears_100(
    alone: None,  # noqa: ARG001 (for everybody)
    api: Api,
    vendors: Vendors,
    operator: Operator,
    phone: str,
) -> None:
    """Its first posts come while the operator has another `webhook_token`."""
    before = operator.secret("PROVIDER_CREDENTIALS_SECRET")
    with operator.credentials(
        before | {"sms_ru": before["sms_ru"] | {"webhook_token": "another-token-of-this-account"}}
    ):
        started = api.started(phone, provider="sms_ru", method="reverse_call")
        vendors.dial(phone, started)
        call_id = str(operator.record(started.id)["call_id"])
        assert vendors.answered_webhooks(call_id)[0]["status"] == 404

    def answers() -> list[tuple[int, str]]:
        return [(each["status"], each["body"]) for each in vendors.answered_webhooks(call_id)]

    assert until(answers, lambda found: found[-1] == (200, "100"))[0][0] == 404
    assert operator.record(started.id)["status"] == "verified"
