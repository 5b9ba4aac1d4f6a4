"""SMSC's simulator: what the vendor answers, oddities included."""

import hashlib

import pytest
from werkzeug.test import TestResponse

from simulators.webhooks import Webhook
from tests.support.simulators import CREDENTIALS, RECEIVER, Simulators
from vendors.smsc.simulator import APIKEY, LOGIN, PASSWORD
from vendors.smsc.situations import ask_voice

PATH = "/smsc/sys/wait_call.php"
SECRET = CREDENTIALS["smsc"]["callback_secret"]
HOOK = f"{RECEIVER}/webhooks/smsc/{CREDENTIALS['smsc']['webhook_token']}"


def start(simulators: Simulators, phone: str = "79000000001", **more: str) -> TestResponse:
    credentials = {"login": LOGIN, "psw": PASSWORD, "fmt": "3", "charset": "utf-8"}
    return simulators.client.post(PATH, data=credentials | {"phone": phone} | more)


def test_a_call_is_reported_to_the_accounts_handler_with_a_signature(simulators: Simulators) -> None:
    simulators.fill_cabinets()
    number = start(simulators).get_json()["phone"]
    simulators.advance(10.9)
    dialled = simulators.dial("+79000000001", f"+{number}")
    assert dialled == {"answered": True, "provider": "smsc", "webhook": "sent"}
    md5 = hashlib.md5(f"79000000001:1800000010:{SECRET}".encode()).hexdigest()
    form = {"waitcall": "1", "phone": "79000000001", "ts": "1800000010", "md5": md5}
    assert simulators.sent == [Webhook("smsc", HOOK, 300, form)]


def test_a_call_of_another_phone_is_no_event(simulators: Simulators) -> None:
    simulators.fill_cabinets()
    number = start(simulators).get_json()["phone"]
    other = start(simulators, "79000000009").get_json()["phone"]
    assert simulators.dial("79000000009", number)["answered"] is False
    assert simulators.dial("79000000001", other)["answered"] is False
    assert simulators.sent == []


def test_without_a_secret_in_the_cabinet_nothing_is_signed(simulators: Simulators) -> None:
    assert simulators.client.post("/smsc/cabinet", json={"handler_url": HOOK}).status_code == 200
    simulators.dial("79000000001", start(simulators).get_json()["phone"])
    assert simulators.sent[0].form == {"waitcall": "1", "phone": "79000000001", "ts": "1800000000"}


def test_without_a_handler_the_call_is_taken_and_not_reported(simulators: Simulators) -> None:
    number = start(simulators).get_json()["phone"]
    assert simulators.dial("79000000001", number) == {"answered": True, "provider": "smsc", "webhook": "none"}


def test_a_request_waits_300_seconds(simulators: Simulators) -> None:
    number = start(simulators).get_json()["phone"]
    simulators.advance(299.9)
    assert simulators.dial("79000000001", number)["answered"] is True
    simulators.advance(0.1)
    assert simulators.dial("79000000001", number)["answered"] is False


@pytest.mark.parametrize(
    ("fmt", "success", "error"),
    [
        ("0", "79000020000", "ERROR = 2 (неверный логин или пароль)"),
        ("1", "79000020000", "0,-2"),
        (
            "2",
            "<result><phone>79000020000</phone></result>",
            "<result><error>неверный логин или пароль</error><error_code>2</error_code></result>",
        ),
        ("3", '{"phone": "79000020000"}', '{"error": "неверный логин или пароль", "error_code": 2}'),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "windows-1251"])
def test_four_encodings_in_two_charsets(
    simulators: Simulators, fmt: str, success: str, error: str, charset: str
) -> None:
    refused = start(simulators, fmt=fmt, charset=charset, psw="wrong")
    assert refused.status_code == 200
    assert refused.data == error.encode(charset)
    assert start(simulators, fmt=fmt, charset=charset).data == success.encode(charset)


def test_plain_text_in_windows_1251_unless_asked(simulators: Simulators) -> None:
    response = simulators.client.get(PATH)
    assert response.content_type == "text/plain; charset=windows-1251"
    assert response.data == "ERROR = 2 (неверный логин или пароль)".encode("windows-1251")


@pytest.mark.parametrize(
    ("credentials", "accepted"),
    [
        ({"login": LOGIN, "psw": PASSWORD}, True),
        ({"login": LOGIN, "apikey": APIKEY}, True),
        ({"apikey": APIKEY}, True),
        ({"psw": PASSWORD}, False),
        ({"login": "other", "apikey": APIKEY}, False),
        ({"login": LOGIN, "psw": APIKEY}, False),
    ],
)
def test_credentials(simulators: Simulators, credentials: dict[str, str], accepted: bool) -> None:
    query = credentials | {"phone": "89000000001", "fmt": "3"}
    reply = simulators.client.get(PATH, query_string=query).data
    assert (b"error_code" not in reply) is accepted


def test_a_text_is_spoken(simulators: Simulators) -> None:
    spoken = ask_voice(simulators, "Ваш код: 1, 2.")
    assert spoken.get_json() == {"id": 1234, "cnt": 1}
    (call,) = simulators.incoming("79000000001")
    assert call["spoken"] == "Ваш код: 1, 2."
    assert simulators.get("/requests")["paid_calls"] == 1


def test_without_a_param_the_vendor_rings_again(simulators: Simulators) -> None:
    form = {"login": LOGIN, "psw": PASSWORD, "phones": "79000000001", "mes": "text", "call": "1"}
    assert simulators.client.post("/smsc/sys/send.php", data=form).data == b"OK - 1 SMS, ID - 1234"
    assert len(simulators.incoming("79000000001")) > 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mes": ""}, 1),
        ({"mes": "code"}, 6),
        ({"call": "0"}, 1),
        ({"param": "20"}, 1),
        ({"param": "20,1,1"}, 1),
        ({"phones": "abc"}, 7),
        ({"psw": "wrong"}, 2),
    ],
)
def test_a_text_that_is_refused(simulators: Simulators, changed: dict[str, str], code: int) -> None:
    form = {"login": LOGIN, "psw": PASSWORD, "phones": "79000000001", "mes": "text", "call": "1", "fmt": "3"}
    refused = simulators.client.post("/smsc/sys/send.php", data=form | {"charset": "utf-8"} | changed)
    assert refused.get_json()["error_code"] == code
    assert simulators.incoming("79000000001") == []


def test_bad_phone(simulators: Simulators) -> None:
    for phone in ("", "abc", "0123"):
        assert start(simulators, phone).get_json()["error_code"] == 1


def test_the_51st_identical_request_of_a_minute_is_refused(simulators: Simulators) -> None:
    for _ in range(50):
        assert "phone" in start(simulators).get_json()
    assert start(simulators).get_json()["error_code"] == 9
    assert "phone" in start(simulators, "79000000009").get_json()
    simulators.advance(60)
    assert "phone" in start(simulators).get_json()


@pytest.mark.parametrize(("mode", "code"), [("no_money", 3), ("bad_credentials", 2), ("number_refused", 5)])
def test_refusals(simulators: Simulators, mode: str, code: int) -> None:
    simulators.fault("smsc", mode)
    assert start(simulators).get_json()["error_code"] == code


def test_the_cabinet_refuses_nonsense(simulators: Simulators) -> None:
    for body in ({}, {"handler_url": "nowhere"}, {"handler_url": HOOK, "callback_secret": 1}):
        assert simulators.client.post("/smsc/cabinet", json=body).status_code == 400


def test_balance(simulators: Simulators) -> None:
    def balance(password: str = PASSWORD) -> object:
        form = {"login": LOGIN, "psw": password, "fmt": "3", "charset": "utf-8"}
        return simulators.client.post("/smsc/sys/balance.php", data=form).get_json()

    assert balance() == {"balance": "100.00"}
    assert balance("wrong") == {"error": "неверный логин или пароль", "error_code": 2}
    simulators.fault("smsc", "no_money", on="balance")
    assert balance() == {"balance": "0.00"}
    assert balance() == {"balance": "100.00"}


def test_a_late_report_tells_the_time_of_the_call(simulators: Simulators) -> None:
    simulators.fill_cabinets()
    simulators.fault("smsc", "webhook_late")
    simulators.dial("79000000001", start(simulators).get_json()["phone"])
    simulators.advance(301)
    assert (simulators.sent[0].form or {})["ts"] == "1800000000"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_that_is_not_there_is_an_error_of_parameters(simulators: Simulators, method: str) -> None:
    answer = simulators.client.open("/smsc/sys/status.php?fmt=3&charset=utf-8", method=method)
    assert (answer.status_code, answer.get_json()) == (200, {"error": "ошибка в параметрах", "error_code": 1})
