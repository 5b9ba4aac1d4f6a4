"""Who may listen to what, and where a verification is heard."""

from typing import Any

import pytest

from callverify.domain.channels import channel, socket_url
from callverify.domain.keys import Keys
from callverify.edge import updates

KEYS = Keys("p" * 64)
NAME = "4tc0j4d2wa2ex1fjfg3ct4haht"
ID = f"vrf_{NAME}"
NOW = 1_800_000_000
TOKEN = KEYS.updates_token(ID, NOW)
TEST_TOKEN = KEYS.updates_token(f"vrf_test_{NAME}", NOW)
CHANNEL = f"/verifications/{NAME}"


def allowed(token: str | None, operation: str, wanted: str | None, *, after: float = 0) -> bool:
    asked = {"operation": operation, "channel": wanted, "channelNamespaceName": wanted and "verifications"}
    event: dict[str, Any] = {"authorizationToken": token, "requestContext": asked}
    answer = updates.authorizer(lambda: KEYS, lambda: NOW + after)(event, None)
    assert answer.keys() == {"isAuthorized", "ttlOverride"}
    assert answer["ttlOverride"] == 0
    assert isinstance(answer["isAuthorized"], bool)
    return bool(answer["isAuthorized"])


@pytest.mark.parametrize("after", [0, 1799.9])
def test_a_token_opens_its_own_channel(after: float) -> None:
    assert allowed(TOKEN, "EVENT_CONNECT", None, after=after)
    assert allowed(TOKEN, "EVENT_SUBSCRIBE", CHANNEL, after=after)
    assert allowed(TEST_TOKEN, "EVENT_SUBSCRIBE", f"/verifications/test-{NAME}", after=after)


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "/",
        "*",
        "/*",
        "/verifications",
        "/verifications/",
        "/verifications/*",
        f"/verifications/{NAME[:-1]}*",
        f"{CHANNEL}/",
        f"{CHANNEL}/*",
        f"/{CHANNEL}",
        CHANNEL.removeprefix("/"),
        CHANNEL.upper(),
        f"/other/{NAME}",
        f"/verifications/{NAME.replace('4', '5', 1)}",
        f"/verifications/test-{NAME}",
        f"/verifications/{ID}",
    ],
)
def test_no_other_channel_and_no_wildcard(wanted: str | None) -> None:
    assert not allowed(TOKEN, "EVENT_SUBSCRIBE", wanted)


def test_a_tests_channel_is_not_a_live_ones() -> None:
    assert not allowed(TEST_TOKEN, "EVENT_SUBSCRIBE", CHANNEL)


@pytest.mark.parametrize("operation", ["EVENT_PUBLISH", "", "event_subscribe", "EVENT_UNSUBSCRIBE"])
def test_a_token_publishes_nothing(operation: str) -> None:
    assert not allowed(TOKEN, operation, CHANNEL)


@pytest.mark.parametrize("after", [1800, 1800.1, 10**6])
def test_a_token_ends_30_minutes_after_the_start(after: float) -> None:
    assert not allowed(TOKEN, "EVENT_CONNECT", None, after=after)
    assert not allowed(TOKEN, "EVENT_SUBSCRIBE", CHANNEL, after=after)


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "cvu",
        f"Bearer {TOKEN}",
        TOKEN[:-1],
        TOKEN.replace("cvu", "cvt"),
        KEYS.client_token(ID, NOW),
        Keys("q" * 64).updates_token(ID, NOW),
        "cv_live_" + "k" * 43,
    ],
)
def test_no_other_credential_opens_anything(token: str | None) -> None:
    assert not allowed(token, "EVENT_CONNECT", None)
    assert not allowed(token, "EVENT_SUBSCRIBE", CHANNEL)


@pytest.mark.parametrize("event", [{}, {"authorizationToken": TOKEN}, {"requestContext": None}])
def test_an_event_without_its_parts_is_refused(event: dict[str, Any]) -> None:
    assert updates.authorizer(lambda: KEYS, lambda: NOW)(event, None) == {"isAuthorized": False, "ttlOverride": 0}


def test_a_channel_is_a_name_that_appsync_takes() -> None:
    assert channel(ID) == CHANNEL
    assert channel(f"vrf_test_{NAME}") == f"/verifications/test-{NAME}"


def test_the_socket_is_encrypted_but_in_the_embedded_aws() -> None:
    assert socket_url("x.example", "") == "wss://x.example/event/realtime"
    assert socket_url("x.example", "https://vpce.example") == "wss://x.example/event/realtime"
    assert socket_url("x.localhost:4566", "http://127.0.0.1:4566") == "ws://x.localhost:4566/event/realtime"
    assert socket_url("", "") is None
