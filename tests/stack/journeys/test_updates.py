"""Push, as AppSync and the authorizer let browsers have it."""

import time
from typing import Any

import boto3
import pytest
import requests

from callverify.domain.keys import Keys
from tests.support.client import PATIENCE, UNTIL_SECONDS, Answer, Api, Vendors, new_phone
from tests.support.listening import Listener, Refused


@pytest.fixture(scope="module")
def pepper(stack: dict[str, str]) -> str:
    client = boto3.client(
        "secretsmanager",
        endpoint_url=stack["AWS_ENDPOINT_URL"],
        region_name=stack["AWS_REGION"],
        aws_access_key_id=stack["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack["AWS_SECRET_ACCESS_KEY"],
    )
    return str(client.get_secret_value(SecretId=f"{stack['STACK_NAME']}/pepper")["SecretString"])


@pytest.fixture
def begun(api: Api) -> Answer:
    return api.started(new_phone(), method="flash_call")


def token(updates: dict[str, Any]) -> str:
    return str(updates["authorization"]["Authorization"])


def test_a_token_opens_its_own_channel_alone(api: Api, begun: Answer) -> None:
    own, other = begun["updates"], api.started(new_phone(), method="flash_call")["updates"]
    with Listener(own) as listener:
        for channel in (other["channel"], "/verifications/*", "/verifications", "/*", own["channel"] + "/*"):
            with pytest.raises(Refused):
                listener.subscribe(channel)
        listener.subscribe(own["channel"])
        # Nor does another's token open this channel, on a connection that stands.
        with pytest.raises(Refused):
            listener.subscribe(own["channel"], Authorization=token(other))


def test_a_client_token_opens_no_push(api: Api, begun: Answer) -> None:
    for credential in (begun["client_token"], api.key, "", "x"):
        with pytest.raises(Refused):
            Listener(begun["updates"], Authorization=credential)
    with Listener(begun["updates"]) as listener, pytest.raises(Refused):
        listener.subscribe(begun["updates"]["channel"], Authorization=begun["client_token"])


def test_a_token_for_updates_opens_nothing_over_http(api: Api, begun: Answer) -> None:
    used = token(begun["updates"])
    api.read(begun.id, key=used).expect(401, "unauthorized")
    api.send("POST", f"/verifications/{begun.id}/check", {"code": "0000"}, key=used).expect(401, "unauthorized")


def test_a_token_ends(begun: Answer, pepper: str) -> None:
    keys, now = Keys(pepper), int(time.time())
    assert Keys(pepper).open_updates_token(token(begun["updates"]))
    with Listener(begun["updates"], Authorization=keys.updates_token(begun.id, now - 1790)):
        pass
    with pytest.raises(Refused):
        Listener(begun["updates"], Authorization=keys.updates_token(begun.id, now - 1801))


def test_a_token_publishes_nothing(stack: dict[str, str], begun: Answer) -> None:
    updates = begun["updates"]
    for credential in (token(updates), begun["client_token"]):
        answer = requests.post(
            f"{stack['AWS_ENDPOINT_URL']}/event",
            json={"channel": updates["channel"], "events": ['{"status": "verified"}']},
            headers={"Host": updates["authorization"]["host"], "Authorization": credential},
            timeout=PATIENCE,
        )
        assert answer.status_code in (401, 403), answer.text


def test_an_end_is_heard_as_the_client_token_reads_it(api: Api, vendors: Vendors) -> None:
    phone = new_phone()
    begun = api.started(phone, method="reverse_call")
    with Listener(begun["updates"]) as listener:
        listener.subscribe(begun["updates"]["channel"])
        vendors.dial(phone, begun)
        heard = [listener.heard()]
        while heard[-1]["status"] == "pending":
            heard.append(listener.heard())
    assert heard[-1] == api.wait_until(begun.id, "verified", key=begun["client_token"]).body
    assert [each["revision"] for each in heard] == sorted(each["revision"] for each in heard)


def test_each_revision_is_heard_from_the_stream(
    alone: None,  # noqa: ARG001 (beside others, a publish on a slow machine can take longer than push waits for it)
    api: Api,
) -> None:
    """Wrong codes end nothing: no function tells of them at once."""
    rounds, until = 0, time.monotonic() + UNTIL_SECONDS
    while True:
        rounds += 1
        begun = api.started(new_phone(), method="flash_call")
        with Listener(begun["updates"]) as listener:
            listener.subscribe(begun["updates"]["channel"])
            checked = api.check(begun.id, "0000", key=begun["client_token"]).expect(200)
            try:
                while (heard := listener.heard())["revision"] < checked["revision"]:
                    pass
                break
            except TimeoutError:  # push rests for a minute where it has been too slow
                assert time.monotonic() < until, f"nothing heard in {rounds} rounds"
    assert heard["checks_remaining"] == checked["checks_remaining"]
    assert heard["status"] == "pending"
