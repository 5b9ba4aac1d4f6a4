"""SMS.RU's simulator: what the vendor answers, oddities included."""

import hashlib
from typing import Any

import pytest

from callverify.domain.words import Deadline, InboundWebhook, Method, Verdict
from callverify.edge.bodies import parse_webhook
from simulators.webhooks import MOST_REPEATS, REPEAT_EVERY_SECONDS, Webhook, send_by_http
from tests.support.fake_vendor import FakeVendor
from tests.support.simulators import CREDENTIALS, PHONE, RECEIVER, Simulators
from vendors.sms_ru.simulator import API_ID
from vendors.sms_ru.situations import add, ask, call

HOOK = f"{RECEIVER}/webhooks/sms_ru/{CREDENTIALS['sms_ru']['webhook_token']}"
STARTED_AT = 1_800_000_000


def lent(simulators: Simulators, phone: str = "79000000001") -> dict[str, Any]:
    found: dict[str, Any] = add(simulators, phone).get_json()
    return found


def status(simulators: Simulators, check_id: str) -> object:
    return ask(simulators, "callcheck/status", check_id=check_id).get_json()["check_status"]


def dial(simulators: Simulators, found: dict[str, Any], phone: str = PHONE) -> dict[str, Any]:
    return simulators.dial(phone, found["call_phone"])


def signed(*entries: str) -> str:
    return hashlib.sha256((API_ID + "".join(entries)).encode()).hexdigest()


def take(simulators: Simulators, body: str = "100") -> None:
    simulators.fill_cabinets()
    simulators.on_webhook = lambda _: (200, body)


def entry(check_id: str, at: int = STARTED_AT, told: str = "401") -> str:
    return f"callcheck_status\n{check_id}\n{told}\n{at}"


def test_a_call_is_reported_to_the_accounts_handler_with_a_hash(simulators: Simulators) -> None:
    take(simulators)
    found = lent(simulators)
    simulators.advance(10.9)
    assert dial(simulators, found) == {"answered": True, "provider": "sms_ru", "webhook": "sent"}
    text = entry(found["check_id"], STARTED_AT + 10)
    (sent,) = simulators.sent
    assert (sent.url, sent.form) == (HOOK, {"data[0]": text, "hash": signed(text)})
    simulators.advance(600)
    assert len(simulators.sent) == 1


@pytest.mark.parametrize("body", ["OK", "", "100 OK", '{"status": "100"}'])
def test_a_report_is_repeated_until_it_is_answered_100(simulators: Simulators, body: str) -> None:
    take(simulators, body)
    dial(simulators, lent(simulators))
    for number in range(2, 6):
        simulators.advance(REPEAT_EVERY_SECONDS)
        assert len(simulators.sent) == number
    assert simulators.sent == simulators.sent[:1] * 5
    simulators.on_webhook = lambda _: (200, "100\n")
    simulators.advance(REPEAT_EVERY_SECONDS)
    assert len(simulators.sent) == 6
    simulators.advance(REPEAT_EVERY_SECONDS)
    assert len(simulators.sent) == 6
    assert [each["body"] for each in simulators.get("/webhooks")["webhooks"]][-2:] == [body, "100\n"]


def test_a_report_that_nobody_takes_is_given_up(simulators: Simulators) -> None:
    take(simulators, "OK")
    dial(simulators, lent(simulators))
    for _ in range(MOST_REPEATS + 5):
        simulators.advance(REPEAT_EVERY_SECONDS)
    assert len(simulators.sent) == MOST_REPEATS + 1


def test_a_call_of_another_phone_is_no_event(simulators: Simulators) -> None:
    take(simulators)
    found, other = lent(simulators), lent(simulators, "79000000009")
    assert dial(simulators, found, "+79000000009")["answered"] is False
    assert dial(simulators, other)["answered"] is False
    assert simulators.sent == []


def test_an_id_is_good_for_one_call(simulators: Simulators) -> None:
    take(simulators)
    found = lent(simulators)
    assert dial(simulators, found)["webhook"] == "sent"
    assert dial(simulators, found) == {"answered": True, "provider": "sms_ru", "webhook": "none"}


def test_a_request_waits_300_seconds(simulators: Simulators) -> None:
    first, second = lent(simulators), lent(simulators, "79000000009")
    simulators.advance(299.9)
    assert dial(simulators, first)["answered"] is True
    simulators.advance(0.1)
    assert dial(simulators, second, "+79000000009")["answered"] is False
    assert (status(simulators, first["check_id"]), status(simulators, second["check_id"])) == ("401", "402")


def test_states_of_a_call(simulators: Simulators) -> None:
    found = lent(simulators)
    assert status(simulators, found["check_id"]) == "400"
    dial(simulators, found)
    assert status(simulators, found["check_id"]) == "401"
    assert status(simulators, "201737-0") == status(simulators, "") == "402"


def test_the_link_has_another_number(simulators: Simulators) -> None:
    found = lent(simulators)
    assert found["call_phone"] == "79000060001"
    assert found["call_phone_pretty"] == "+7 (900) 006-0001"
    assert found["call_phone_html"] == '<a href="callto:79000070001">+7 (900) 006-0001</a>'


def test_a_flash_call_rings_from_a_number_of_the_vendors_choice(simulators: Simulators) -> None:
    for phone, cost in (("79000000001", 0.4), ("77000000001", 1.0)):
        found = call(simulators, phone).get_json()
        (ringing,) = simulators.incoming(f"+{phone}")
        assert ringing["from"].endswith(found["code"])
        assert (found["cost"], found["balance"]) == (cost, round(4122.56 - cost, 2))


def test_other_types(simulators: Simulators) -> None:
    simulators.fault("sms_ru", "other_types", times=3)
    found = lent(simulators)
    assert found["status_code"] == "100"
    told = ask(simulators, "callcheck/status", check_id=found["check_id"]).get_json()
    assert (told["status_code"], told["check_status"]) == ("100", 400)
    assert isinstance(call(simulators).get_json()["code"], int)
    assert lent(simulators)["status_code"] == 100


def test_the_service_reads_other_types(simulators: Simulators) -> None:
    simulators.fault("sms_ru", "other_types", times=0)
    outcome = simulators.started("sms_ru", Method.FLASH_CALL)
    (ringing,) = simulators.incoming(PHONE)
    assert ringing["from"].endswith(outcome.code or "no code")
    started = simulators.started("sms_ru", Method.REVERSE_CALL)
    assert started.challenge
    (line, _) = simulators.lines("sms_ru")
    assert line.client.check(started.call_id or "", Deadline.after(5)).verdict is Verdict.PENDING
    simulators.dial(PHONE, started.challenge.number or "")
    assert line.client.check(started.call_id or "", Deadline.after(5)).verdict is Verdict.CONFIRMED


def test_a_number_lent_again_answers_all_that_wait_for_the_phone(simulators: Simulators) -> None:
    take(simulators)
    first = lent(simulators)
    simulators.fault("sms_ru", "same_number")
    second = lent(simulators)
    assert second["call_phone"] == first["call_phone"]
    assert second["check_id"] != first["check_id"]
    dial(simulators, first)
    form = simulators.sent[0].form or {}
    assert [form["data[0]"], form["data[1]"]] == [entry(first["check_id"]), entry(second["check_id"])]


def test_an_id_given_again(simulators: Simulators) -> None:
    first = lent(simulators)
    simulators.fault("sms_ru", "same_id")
    assert lent(simulators)["check_id"] == first["check_id"]
    assert lent(simulators)["check_id"] != first["check_id"]


@pytest.mark.parametrize("names", ["data[0]", "data[1]", "data[]", "data"])
@pytest.mark.parametrize("multipart", [False, True])
def test_a_report_written_in_another_way_is_heard(
    simulators: Simulators, names: str, multipart: bool, vendor: FakeVendor
) -> None:
    """Here it is sent over HTTP, as the vendor would."""
    take(simulators)
    simulators.fault("sms_ru", "webhook_form", names=names, multipart=multipart)
    found = lent(simulators)
    dial(simulators, found)
    (sent,) = simulators.sent
    vendor.answer(b"100")
    assert send_by_http(Webhook("sms_ru", vendor.base_url, 300, sent.form, multipart=sent.multipart)) == (200, "100")
    (seen,) = vendor.requests
    assert seen.headers["content-type"].startswith("multipart/" if multipart else "application/x-www-form-urlencoded")
    parameters: dict[str, tuple[str, ...]] = {}
    for name, value in parse_webhook(seen.body.decode(), seen.headers["content-type"]):
        parameters[name] = (*parameters.get(name, ()), value)
    assert names in parameters
    (line, _) = simulators.lines("sms_ru")
    (report,) = line.client.open_webhook(InboundWebhook(parameters))
    assert report.call_id == found["check_id"]


def test_a_report_among_others(simulators: Simulators) -> None:
    take(simulators)
    simulators.fault("sms_ru", "webhook_form", names="data[]", others=True)
    found = lent(simulators)
    dial(simulators, found)
    form = simulators.sent[0].form or {}
    kinds = [text.split("\n")[0] for text in form["data[]"]]
    assert kinds == ["sms_status", "callcheck_status", "callcheck_status", "sms_status"]
    assert form["hash"] == signed(*form["data[]"])


@pytest.mark.parametrize("more", [{"names": "data[2]"}, {"multipart": 1}, {"others": "yes"}, {"more": True}])
def test_another_way_that_there_is_not(simulators: Simulators, more: dict[str, object]) -> None:
    body = {"provider": "sms_ru", "mode": "webhook_form", **more}
    assert simulators.client.post("/faults", json=body).status_code == 400


@pytest.mark.parametrize(("mode", "code"), [("no_money", 201), ("bad_credentials", 200), ("number_refused", 202)])
def test_refusals(simulators: Simulators, mode: str, code: int) -> None:
    for asked in (add, call):
        simulators.fault("sms_ru", mode)
        answer = asked(simulators)
        assert (answer.status_code, answer.get_json()["status"], answer.get_json()["status_code"]) == (
            200,
            "ERROR",
            code,
        )


@pytest.mark.parametrize("path", ["callcheck/add", "callcheck/status", "code/call", "my/balance"])
def test_a_wrong_key_by_get_or_post(simulators: Simulators, path: str) -> None:
    wrong = {"api_id": "wrong", "phone": "79000000001"}
    for answer in (
        simulators.client.get(f"/sms_ru/{path}", query_string=wrong),
        simulators.client.post(f"/sms_ru/{path}", data=wrong),
        simulators.client.post(f"/sms_ru/{path}"),
    ):
        assert answer.get_json() == {"status": "ERROR", "status_code": 200, "status_text": "Неправильный api_id"}


def test_bad_phone(simulators: Simulators) -> None:
    for phone in ("", "abc", "0123"):
        assert add(simulators, phone).get_json()["status_code"] == 202


def test_balance(simulators: Simulators) -> None:
    assert ask(simulators, "my/balance").get_json() == {"status": "OK", "status_code": 100, "balance": 4122.56}
    simulators.fault("sms_ru", "no_money", on="balance")
    assert ask(simulators, "my/balance").get_json()["balance"] == 0


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_that_is_not_there(simulators: Simulators, method: str) -> None:
    answer = simulators.client.open("/sms_ru/sms/send", method=method)
    assert (answer.status_code, answer.get_json()["status_code"]) == (200, 211)


def test_without_a_handler_the_call_is_taken_and_not_reported(simulators: Simulators) -> None:
    assert dial(simulators, lent(simulators)) == {"answered": True, "provider": "sms_ru", "webhook": "none"}
