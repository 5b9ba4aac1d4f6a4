"""A named vendor in trouble: what the caller is told in time, and what is paid for."""

from collections.abc import Callable

import pytest

from tests.support.client import PROMPT, Api, Operator, Vendors, until

Faults = Callable[..., None]
REVERSE = [("telefon_ip", "reverse_call"), ("sms_ru", "reverse_call"), ("smsc", "reverse_call")]
# Without the method, the vendor's other one would be tried next.
ROUTES = [("ucaller", "flash_call"), ("new_tel", "flash_call"), *REVERSE]
# What a fault means: (outcome of the attempt, reason). After `unknown` a call may have been made and charged.
NO_ANSWER = {
    "timeout": ("unknown", "timeout"),
    "refused": ("unknown", "unreadable_answer"),
    "drip_headers": ("unknown", "timeout"),
    "drip_body": ("unknown", "timeout"),
    "http_500": ("unknown", "http_error"),
    "malformed_json": ("unknown", "unreadable_answer"),
}
ACCOUNT = {"no_money": ("unavailable", "no_money"), "bad_credentials": ("unavailable", "bad_credentials")}


@pytest.mark.parametrize(("provider", "method"), REVERSE)
@pytest.mark.parametrize("mode", [*NO_ANSWER, *ACCOUNT])
def test_a_reverse_call_without_an_answer_has_failed(
    faults: Faults, api: Api, vendors: Vendors, operator: Operator, phone: str, provider: str, method: str, mode: str
) -> None:
    faults(provider, mode)
    failed = api.start(phone, provider=provider, method=method, patience=PROMPT).expect(503, "provider_unavailable")
    read = api.read(failed["verification_id"]).expect(200)
    assert (read["status"], read["reason"]) == ("failed", "provider_unavailable")
    assert read["challenge"] is None
    (attempt,) = read["attempts"]
    assert (attempt["provider"], attempt["outcome"], attempt["reason"]) == (provider, *(NO_ANSWER | ACCOUNT)[mode])
    assert vendors.starts(phone) == [provider]
    assert operator.lock(read.id) is None


@pytest.mark.parametrize("mode", NO_ANSWER)
def test_a_flash_call_is_sent_again_with_the_same_key(
    faults: Faults, api: Api, vendors: Vendors, phone: str, mode: str
) -> None:
    faults("ucaller", mode)
    started = api.started(phone, provider="ucaller", patience=PROMPT)
    assert started["attempts"][0]["outcome"] == "started"
    sent = vendors.start_requests(phone)
    assert [request["action"] for request in sent] == ["initCall", "initCall"]
    # A request that failed at once has no `unique` in the vendor's record.
    assert len({request["unique"] for request in sent if "unique" in request}) == 1
    assert sum(request["paid"] for request in sent) == 1
    assert len(vendors.codes(phone)) == 1
    assert api.check(started.id, vendors.code(phone))["valid"] is True


@pytest.mark.parametrize("mode", NO_ANSWER)
def test_a_flash_call_that_may_be_ringing_waits_for_its_code(
    faults: Faults, api: Api, vendors: Vendors, phone: str, mode: str
) -> None:
    faults("ucaller", mode, times=2)
    started = api.started(phone, provider="ucaller", patience=PROMPT)
    assert (started["status"], started["challenge"]) == ("pending", {"type": "enter_digits", "length": 4})
    (attempt,) = started["attempts"]
    assert (attempt["outcome"], attempt["reason"]) == NO_ANSWER[mode]
    assert (started["repeats_remaining"], started["repeat_after"]) == (0, None)
    api.repeat(started.id).expect(409, "repeat_not_supported")
    sent = vendors.start_requests(phone)
    assert len(sent) == 2
    if mode in ("http_500", "refused"):  # which took no effect: the window's end is all that is left
        assert not any(request["paid"] for request in sent)
        assert api.read(started.id)["status"] == "pending"
    else:
        assert sum(request["paid"] for request in sent) == len(vendors.codes(phone)) == 1
        assert api.check(started.id, vendors.code(phone))["valid"] is True


@pytest.mark.parametrize("mode", ACCOUNT)
def test_a_flash_call_that_our_account_cannot_make(
    faults: Faults, api: Api, vendors: Vendors, phone: str, mode: str
) -> None:
    faults("ucaller", mode)
    failed = api.start(phone, provider="ucaller").expect(503, "provider_unavailable")
    read = api.read(failed["verification_id"]).expect(200)
    assert (read["status"], read["reason"]) == ("failed", "provider_unavailable")
    (attempt,) = read["attempts"]
    assert (attempt["outcome"], attempt["reason"]) == ACCOUNT[mode]
    assert vendors.codes(phone) == []


@pytest.mark.parametrize(("provider", "method"), ROUTES)
@pytest.mark.parametrize("mode", ACCOUNT)
def test_trouble_with_our_account_is_logged_as_a_fault_of_configuration(
    faults: Faults, api: Api, operator: Operator, phone: str, provider: str, method: str, mode: str
) -> None:
    faults(provider, mode)
    failed = api.start(phone, provider=provider, method=method).expect(503, "provider_unavailable")
    (line,) = until(
        lambda: [line for line in operator.log_lines(failed["verification_id"]) if line.get("level") == "ERROR"], bool
    )
    assert (line["level"], line["setting"], line["reason"]) == ("ERROR", f"provider-credentials: {provider}", mode)
    assert "configuration fault" in line["message"]


@pytest.mark.parametrize(("provider", "method"), ROUTES)
def test_a_number_that_the_vendor_refuses(
    faults: Faults, api: Api, vendors: Vendors, operator: Operator, phone: str, provider: str, method: str
) -> None:
    faults(provider, "number_refused")
    failed = api.start(phone, provider=provider, method=method).expect(422, "provider_rejected")
    read = api.read(failed["verification_id"]).expect(200)
    assert (read["status"], read["reason"]) == ("failed", "provider_rejected")
    (attempt,) = read["attempts"]
    assert (attempt["outcome"], attempt["reason"]) == ("rejected", "number_refused")
    assert vendors.paid_calls(phone) == 0
    assert operator.lock(read.id) is None


@pytest.mark.parametrize("mode", ["http_500", "malformed_json", "bad_credentials"])
def test_a_vendor_that_cannot_be_asked_back_leaves_the_verification_pending(
    faults: Faults, api: Api, vendors: Vendors, operator: Operator, phone: str, mode: str
) -> None:
    faults("telefon_ip", "webhook_lost")
    faults("telefon_ip", mode, on="check", times=None)
    started = api.started(phone, provider="telefon_ip")
    vendors.dial(phone, started)
    before = len(vendors.requests(phone))
    operator.ask(started.id)
    assert len(vendors.requests(phone)) > before
    assert api.read(started.id).expect(200)["status"] == "pending"
    vendors.clear_faults(phone)
    operator.ask(started.id)
    assert api.read(started.id)["evidence"] == "provider_read_back"
