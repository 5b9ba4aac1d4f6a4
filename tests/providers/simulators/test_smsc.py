import hashlib

import pytest

from simulators.accounts import SMSC_APIKEY, SMSC_LOGIN, SMSC_PASSWORD
from simulators.webhooks import Webhook
from tests.support.simulators import HOOK, SECRET, Simulators

PATH = "/smsc/sys/wait_call.php"


def test_a_call_is_reported_to_the_accounts_handler_with_a_signature(simulators: Simulators) -> None:
    simulators.set_smsc_handler()
    number = simulators.start_smsc().get_json()["phone"]
    simulators.advance(10.9)
    dialled = simulators.dial("+79000000001", f"+{number}")
    assert dialled == {"answered": True, "provider": "smsc", "webhook": "sent"}
    md5 = hashlib.md5(f"79000000001:1800000010:{SECRET}".encode()).hexdigest()
    form = {"waitcall": "1", "phone": "79000000001", "ts": "1800000010", "md5": md5}
    assert simulators.sent == [Webhook("smsc", HOOK, 300, form)]


def test_a_call_of_another_phone_is_no_event(simulators: Simulators) -> None:
    simulators.set_smsc_handler()
    number = simulators.start_smsc().get_json()["phone"]
    other = simulators.start_smsc("79000000009").get_json()["phone"]
    assert simulators.dial("79000000009", number)["answered"] is False
    assert simulators.dial("79000000001", other)["answered"] is False
    assert simulators.sent == []


def test_without_a_handler_the_call_is_taken_and_not_reported(simulators: Simulators) -> None:
    number = simulators.start_smsc().get_json()["phone"]
    assert simulators.dial("79000000001", number) == {"answered": True, "provider": "smsc", "webhook": "none"}


def test_a_request_waits_300_seconds(simulators: Simulators) -> None:
    number = simulators.start_smsc().get_json()["phone"]
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
    refused = simulators.start_smsc(fmt=fmt, charset=charset, psw="wrong")
    assert refused.status_code == 200
    assert refused.data == error.encode(charset)
    assert simulators.start_smsc(fmt=fmt, charset=charset).data == success.encode(charset)


def test_plain_text_in_windows_1251_unless_asked(simulators: Simulators) -> None:
    response = simulators.client.get(PATH)
    assert response.content_type == "text/plain; charset=windows-1251"
    assert response.data == "ERROR = 2 (неверный логин или пароль)".encode("windows-1251")


@pytest.mark.parametrize(
    ("credentials", "accepted"),
    [
        ({"login": SMSC_LOGIN, "psw": SMSC_PASSWORD}, True),
        ({"login": SMSC_LOGIN, "apikey": SMSC_APIKEY}, True),
        ({"apikey": SMSC_APIKEY}, True),
        ({"psw": SMSC_PASSWORD}, False),
        ({"login": "other", "apikey": SMSC_APIKEY}, False),
        ({"login": SMSC_LOGIN, "psw": SMSC_APIKEY}, False),
    ],
)
def test_credentials(simulators: Simulators, credentials: dict[str, str], accepted: bool) -> None:
    query = credentials | {"phone": "89000000001", "fmt": "3"}
    reply = simulators.client.get(PATH, query_string=query).data
    assert (b"error_code" not in reply) is accepted


def test_bad_phone(simulators: Simulators) -> None:
    for phone in ("", "abc", "0123"):
        assert simulators.start_smsc(phone).get_json()["error_code"] == 1


def test_the_51st_identical_request_of_a_minute_is_refused(simulators: Simulators) -> None:
    for _ in range(50):
        assert "phone" in simulators.start_smsc().get_json()
    assert simulators.start_smsc().get_json()["error_code"] == 9
    assert "phone" in simulators.start_smsc("79000000009").get_json()
    simulators.advance(60)
    assert "phone" in simulators.start_smsc().get_json()


@pytest.mark.parametrize(("mode", "code"), [("no_money", 3), ("bad_credentials", 2), ("number_refused", 5)])
def test_refusals(simulators: Simulators, mode: str, code: int) -> None:
    simulators.fault("smsc", mode)
    assert simulators.start_smsc().get_json()["error_code"] == code


def test_the_cabinet_refuses_nonsense(simulators: Simulators) -> None:
    for body in ({}, {"handler_url": "nowhere"}, {"handler_url": HOOK, "callback_secret": 1}):
        assert simulators.client.post("/smsc/cabinet", json=body).status_code == 400


def test_balance(simulators: Simulators) -> None:
    def balance(password: str = SMSC_PASSWORD) -> object:
        form = {"login": SMSC_LOGIN, "psw": password, "fmt": "3", "charset": "utf-8"}
        return simulators.client.post("/smsc/sys/balance.php", data=form).get_json()

    assert balance() == {"balance": "100.00"}
    assert balance("wrong") == {"error": "неверный логин или пароль", "error_code": 2}
    simulators.fault("smsc", "no_money", on="balance")
    assert balance() == {"balance": "0.00"}
    assert balance() == {"balance": "100.00"}
