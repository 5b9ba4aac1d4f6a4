"""What browsers get: the link to the page, and CORS for the operator's origins."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from callverify.domain.keys import Keys
from functions.check_status import app as check_status
from functions.receive_webhook import app as receive_webhook
from functions.start_verification import app as start_verification
from tests.support import surroundings, template
from tests.support.gateway import PHONE, Api
from tests.support.surroundings import LIVE_KEY, PEPPER, TEST_KEY

SHOP = "https://shop.example.com"
ALLOW = "Access-Control-Allow-Origin"


ORIGINS = "https://Shop.Example.com:443,https://APP.example.com,capacitor://localhost,http://[::1]:8080"
with_origins = pytest.mark.parametrize("api", [{"AllowedOrigins": ORIGINS}], indirect=True, ids=["origins"])


def preflight(app: Any, path: str, origin: str | None) -> dict[str, str]:
    event = {
        "httpMethod": "OPTIONS",
        "path": path,
        "headers": {"origin": origin} if origin else {},
        "requestContext": {"requestId": "request"},
    }
    answer = app.handler(event, None)
    assert (answer["statusCode"], answer["body"]) == (204, "")
    return {name: values[0] for name, values in answer["multiValueHeaders"].items()}


# The link to the page


def test_page_url_holds_what_the_page_needs_in_its_fragment(api: Api) -> None:
    started = api.start(method="reverse_call", locale="ru", allowed_methods=["reverse_call", "flash_call"])
    url = urlsplit(started["page_url"])
    assert (url.scheme, url.path.rsplit("/", 1)[1], url.query) == ("https", "page", "")
    assert parse_qs(url.fragment) == {
        "id": [started.id],
        "token": [started["client_token"]],
        "locale": ["ru"],
        "methods": ["reverse_call,flash_call"],
        "channel": [started["updates"]["channel"]],
        "updates": [started["updates"]["authorization"]["Authorization"]],
    }


def test_page_url_comes_again_with_the_same_start(api: Api) -> None:
    first = api.start(headers={"Idempotency-Key": "page"})
    again = api.start(headers={"Idempotency-Key": "page"})
    assert again.replayed
    assert again["page_url"] == first["page_url"]
    assert again["updates"] == first["updates"]


def test_the_way_back_is_what_the_start_asked_for(api: Api) -> None:
    """No link says it, so that no link can say another: a client token's reads do."""
    started = api.start(method="flash_call", return_url="https://shop.example/done")
    token = started["client_token"]
    assert "shop.example" not in started["page_url"]
    assert "return_url" not in started.body
    assert api.status(started.id, credential=token)["return_url"] == "https://shop.example/done"
    assert api.check(started.id, "0000", credential=token)["return_url"] == "https://shop.example/done"
    assert "return_url" not in api.status(started.id).body
    other = api.start(method="flash_call", phone="+79000000012")
    assert "return_url" not in api.status(other.id, credential=other["client_token"]).body


def test_a_client_token_reads_nothing_that_is_the_servers_own(api: Api) -> None:
    fields: dict[str, Any] = {"method": "flash_call", "reference": "click-1", "metadata": {"order": "17"}}
    started = api.start(**fields)
    token = started["client_token"]
    own = {"reference": "click-1", "metadata": {"order": "17"}}
    for answer in (started, api.status(started.id), api.check(started.id, "0000")):
        assert {name: answer[name] for name in own} == own
    api.advance(61)
    replies = [
        api.status(started.id, credential=token),
        api.check(started.id, "0000", credential=token),
        api.repeat(started.id, body={}, credential=token),
        api.switch(started.id, PHONE, "flash_call", credential=token),
    ]
    for answer in replies:
        assert not own.keys() & answer.body.keys(), answer.body


def test_nothing_but_the_start_tells_page_url(api: Api) -> None:
    started = api.start(method="flash_call")
    for answer in (api.status(started.id), api.check(started.id, "0000")):
        assert not {"page_url", "client_token", "updates"} & answer.body.keys()


# Push


@pytest.mark.parametrize(("key", "prefix"), [(LIVE_KEY, ""), (TEST_KEY, "test-")])
def test_the_start_tells_how_to_listen(api: Api, key: str, prefix: str) -> None:
    phone = "+79000000101" if prefix else PHONE
    started = api.start(phone, credential=key)
    assert started["updates"] == {
        "url": "wss://UpdatesApi.Dns.Realtime/event/realtime",
        "channel": f"/verifications/{prefix}{started.id.rpartition('_')[2]}",
        "authorization": {
            "host": "UpdatesApi.Dns.Http",
            "Authorization": Keys(PEPPER).updates_token(started.id, api.now),
        },
    }


def test_a_token_for_updates_opens_nothing_else(api: Api) -> None:
    started = api.start(method="flash_call")
    token = started["updates"]["authorization"]["Authorization"]
    assert api.status(started.id, credential=token).status == 401
    assert api.check(started.id, "0000", credential=token).status == 401


def test_without_push_nothing_says_how_to_listen(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPDATES_HOST", "UPDATES_SOCKET_HOST"):
        monkeypatch.setenv(name, template.environment("start_verification", PushUpdates="false").get(name, ""))
    surroundings.new_container()
    started = api.start()
    assert "updates" not in started.body
    assert not {"updates", "channel"} & parse_qs(urlsplit(started["page_url"]).fragment).keys()


def test_browsers_keep_to_https(api: Api) -> None:
    started = api.start()
    answers = [started, api.status(started.id), api.status("vrf_nothing"), api.start("112")]
    assert [answer.status for answer in answers] == [201, 200, 404, 422]
    for answer in answers:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert preflight(check_status, f"/verifications/{started.id}", SHOP)["Strict-Transport-Security"]


# CORS


@with_origins
@pytest.mark.parametrize("origin", [SHOP, "https://app.example.com", "capacitor://localhost", "http://[::1]:8080"])
def test_an_allowed_origin_is_echoed(api: Api, origin: str) -> None:
    started = api.start()
    for answer in (
        api.status(started.id, headers={"Origin": origin}),
        api.status("vrf_unknown", headers={"origin": origin}),
    ):
        assert answer.headers[ALLOW] == origin
        assert answer.headers["Vary"] == "Origin"
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@with_origins
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.com.evil.example",
        "http://shop.example.com",
        "null",
        "file://",
        "ionic://localhost",
        None,
    ],
)
def test_no_other_origin_is(api: Api, origin: str | None) -> None:
    answer = api.status(api.start().id, headers={"Origin": origin} if origin else {})
    assert ALLOW not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("api", "parameter"),
    [({name: f"https://shop.example.com:65536,{SHOP}"}, name) for name in ("AllowedOrigins", "ReturnOrigins")],
    indirect=["api"],
)
def test_an_origin_that_can_never_be_met_is_a_fault_of_configuration_and_stops_nothing(
    api: Api, parameter: str
) -> None:
    started = api.start(**{"return_url": f"{SHOP}/done"} if parameter == "ReturnOrigins" else {})
    assert started.status == 201
    api.status(started.id, headers={"Origin": SHOP})
    assert f'"setting":"{parameter}"' in api.logged()
    assert api.metrics()["ConfigurationFaults"] == 1


@pytest.mark.parametrize(
    "api", [{"ReturnOrigins": "https://Shop.Example:443,http://localhost:3000,https://магазин.рф"}], indirect=True
)
@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://shop.example/done", 201),
        ("https://SHOP.example:443/done", 201),
        ("http://localhost:3000/done?x=1", 201),
        ("https://магазин.рф/готово", 201),
        ("https://xn--80aairftm.xn--p1ai/", 201),
        ("http://localhost:3001/done", 400),
        ("http://shop.example/done", 400),
        ("http://localhost:3000@evil.example/", 400),
        ("https://shop.example\\@evil.example/", 400),
        ("https://shop.example:443:80/", 400),
        ("https://shop.example:x/", 400),
        ("capacitor://localhost/done", 400),
    ],
)
def test_a_return_url_is_compared_in_the_normal_form_of_its_origin(api: Api, url: str, status: int) -> None:
    answer = api.start(return_url=url)
    assert answer.status == status
    if status == 400:
        assert "return_url" in answer["detail"]


def test_nothing_is_said_of_origins_where_none_is_allowed(api: Api) -> None:
    answer = api.status(api.start().id, headers={"Origin": SHOP})
    assert not {ALLOW, "Vary"} & answer.headers.keys()
    assert ALLOW not in preflight(check_status, "/verifications/vrf_x", SHOP)


@with_origins
@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("app", "path"),
    [
        (check_status, "/verifications/vrf_x"),
        (check_status, "/verifications/vrf_x/check"),
        (start_verification, "/verifications/vrf_x/repeat"),
        (start_verification, "/verifications/vrf_x/switch"),
    ],
)
def test_preflight(app: Any, path: str) -> None:
    headers = preflight(app, path, SHOP)
    assert headers[ALLOW] == SHOP
    assert {"GET", "POST"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
    assert {"Authorization", "Content-Type"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert ALLOW not in preflight(app, path, "https://evil.example")


@with_origins
@pytest.mark.usefixtures("api")
def test_webhooks_are_not_for_browsers() -> None:
    assert ALLOW not in preflight(receive_webhook, "/webhooks/smsc/x", SHOP)
