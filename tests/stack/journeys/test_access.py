"""Who may do what: API keys, client tokens, and everybody else."""

import pytest

from tests.support.client import Answer, Api, Vendors, new_api_key, new_phone

STEPS = ("check", "repeat", "switch", "cancel")
CALLS = [("POST", ""), ("GET", "/{id}"), *(("POST", f"/{{id}}/{step}") for step in STEPS)]
UNKNOWN_ID = "vrf_00000000000000000000000000"
# What a start tells and no read does, or not the same.
START_ALONE = ("client_token", "page_url", "updates", "poll_after")


def call(api: Api, method: str, path: str, id_: str, **more: object) -> Answer:
    return api.send(method, "/verifications" + path.format(id=id_), None if method == "GET" else {}, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_no_credential(api: Api, method: str, path: str) -> None:
    call(api, method, path, UNKNOWN_ID, key=None).expect(401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), CALLS[:2])
def test_an_unknown_credential(api: Api, method: str, path: str) -> None:
    call(api, method, path, UNKNOWN_ID, key=new_api_key()).expect(401, "unauthorized")


def test_other_schemes_and_places(api: Api) -> None:
    for value in (f"Basic {api.key}", api.key):
        answer = api.send("GET", f"/verifications/{UNKNOWN_ID}", key=None, headers={"Authorization": value})
        answer.expect(401, "unauthorized")
    api.send("GET", f"/verifications/{UNKNOWN_ID}?api_key={api.key}", key=None).expect(401, "unauthorized")
    headers = {"X-Api-Key": api.key}
    api.send("GET", f"/verifications/{UNKNOWN_ID}", key=None, headers=headers).expect(401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), CALLS[1:])
def test_a_client_token_of_another_verification(api: Api, method: str, path: str) -> None:
    own, foreign = api.started(new_phone(), method="flash_call"), api.started(new_phone(), method="flash_call")
    call(api, method, path, foreign.id, key=own["client_token"]).expect(403, "forbidden")
    read = api.read(foreign.id)
    assert {name: foreign[name] for name in read.body if name != "poll_after"} == {
        name: read[name] for name in foreign.body if name not in START_ALONE
    }


def test_a_client_token_neither_starts_nor_cancels(api: Api, vendors: Vendors, phone: str) -> None:
    started = api.started(phone, method="flash_call")
    token = started["client_token"]
    assert api.read(started.id, key=token).expect(200)["status"] == "pending"
    other = new_phone()
    api.start(other, key=token).expect(403, "forbidden")
    api.cancel(started.id, key=token).expect(403, "forbidden")
    assert vendors.requests(other) == []
    assert api.read(started.id)["status"] == "pending"


def test_a_client_token_cannot_be_altered(api: Api, phone: str) -> None:
    started = api.started(phone, method="flash_call")
    kind, id_, end, signature = started["client_token"].split(".")
    api.read(id_, key=f"{kind}.{id_}.{int(end) + 60}.{signature}").expect(401, "unauthorized")
    api.read(UNKNOWN_ID, key=f"{kind}.{UNKNOWN_ID}.{end}.{signature}").expect(401, "unauthorized")


def test_a_key_that_may_only_read(api: Api, vendors: Vendors, added_keys: dict[str, str], phone: str) -> None:
    started, reader = api.started(phone, method="flash_call"), added_keys["reader"]
    assert api.read(started.id, key=reader).expect(200).id == started.id
    other = new_phone()
    api.start(other, key=reader).expect(403, "forbidden")
    assert vendors.requests(other) == []
    api.check(started.id, vendors.code(phone), key=reader).expect(403, "forbidden")
    api.repeat(started.id, key=reader).expect(403, "forbidden")
    api.switch(started.id, phone, "flash_call", key=reader).expect(403, "forbidden")
    api.cancel(started.id, key=reader).expect(403, "forbidden")
    assert api.read(started.id)["status"] == "pending"


@pytest.mark.parametrize(("method", "path"), CALLS[1:])
def test_an_unknown_id(api: Api, method: str, path: str) -> None:
    bodies = {"check": {"code": "0427"}, "switch": {"phone": new_phone(), "method": "flash_call"}}
    body = None if method == "GET" else bodies.get(path.rpartition("/")[2], {})
    api.send(method, "/verifications" + path.format(id=UNKNOWN_ID), body).expect(404, "not_found")


def test_an_unknown_route(api: Api) -> None:
    api.send("GET", "/nowhere").expect(404, "not_found")
