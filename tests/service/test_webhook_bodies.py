"""The bodies of providers' reports: read as whatever they are, each parameter once, and counted where they can't be."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.support.gateway import PHONE, Api, smsc_webhook, webhook_event
from tests.support.handlers import Answer
from tests.support.simulators import CREDENTIALS

SMSC = {"provider": "smsc"}
SMSC_PATH = f"/webhooks/smsc/{CREDENTIALS['smsc']['webhook_token']}"


def report_with(api: Api, body: str, content_type: str | None, query: dict[str, str] | None = None) -> Answer:
    """A callback of SMSC with this very body."""
    event = webhook_event(SMSC_PATH, "POST", body=body)
    event["headers"] = {k: v for k, v in event["headers"].items() if k.lower() != "content-type"}
    event["headers"] |= {"cOnTent-type": content_type} if content_type else {}
    event["multiValueQueryStringParameters"] = {name: [value] for name, value in (query or {}).items()} or None
    return api.pass_gateway(event)


def as_json(form: dict[str, str]) -> str:
    return json.dumps(form)


def as_form(form: dict[str, str]) -> str:
    return urlencode(form)


def as_multipart(form: dict[str, str]) -> str:
    parts = [f'--x7\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{form[name]}\r\n' for name in form]
    return f"{''.join(parts)}--x7--\r\n"


@pytest.mark.parametrize(
    ("write", "content_type"),
    [
        (as_json, "application/json"),
        (as_json, "Application/JSON"),
        (as_json, "APPLICATION/JSON ; Charset=UTF-8"),
        (as_json, "text/json"),
        (as_json, "application/vnd.smsc+JSON"),
        (as_json, None),
        (lambda form: f"\n {json.dumps(form)}", None),
        (lambda form: f"\ufeff{json.dumps(form)}", "application/json"),
        (lambda form: f"\ufeff{urlencode(form)}", "application/x-www-form-urlencoded"),
        (as_json, "text/plain"),
        (as_json, ""),
        (as_form, "application/x-www-form-urlencoded"),
        (as_form, "Application/X-WWW-Form-URLencoded; charset=windows-1251"),
        (as_form, None),
        (as_form, "text/plain;charset=json"),
        (lambda form: f"{urlencode(form)}&", "application/x-www-form-urlencoded"),
        (as_multipart, "multipart/form-data; boundary=x7"),
        (as_multipart, 'Multipart/Form-Data; charset=utf-8; Boundary="x7"'),
    ],
)
def test_a_body_is_read_by_its_media_type_or_by_how_it_begins(
    api: Api, write: Callable[[dict[str, str]], str], content_type: str | None
) -> None:
    started = api.start(**SMSC)
    form = {name: str(value) for name, value in (smsc_webhook(PHONE, api.now).form or {}).items()}
    assert report_with(api, write(form), content_type).status == 200
    assert api.status(started.id)["status"] == "verified"
    assert api.metrics()["UnreadableWebhooks"] == 0


@pytest.mark.parametrize("name", ["waitcall", "phone", "ts", "md5"])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda form, name: f'{json.dumps(form)[:-1]}, "{name}": "{form[name]}"}}', id="JSON"),
        pytest.param(lambda form, name: f'{{"{name}": {{"a": [1]}}, {json.dumps(form)[1:]}', id="JSON, nested first"),
        pytest.param(lambda form, name: f"{urlencode(form)}&{name}=", id="form, empty"),
        pytest.param(lambda form, name: as_multipart(form)[:-8] + as_multipart({name: form[name]}), id="multipart"),
    ],
)
def test_a_parameter_twice_in_one_body_is_400(api: Api, name: str, write: Callable[[dict[str, str], str], str]) -> None:
    started = api.start(**SMSC)
    form = {name: str(value) for name, value in (smsc_webhook(PHONE, api.now).form or {}).items()}
    body = write(form, name)
    content_type = "multipart/form-data; boundary=x7" if body.startswith("--") else None
    assert report_with(api, body, content_type).status == 400
    assert report_with(api, as_json(form), None, {name: form[name]}).status == 400
    assert api.status(started.id)["status"] == "pending"


@pytest.mark.parametrize("name", ["success", "phone", "id"])
def test_telefon_ip_is_not_heard_with_a_parameter_twice_in_json(api: Api, name: str) -> None:
    started = api.start(provider="telefon_ip")
    event = webhook_event(f"/webhooks/telefon_ip/{started.id}/{api.keys.webhook_token(started.id)}", "POST")
    event["headers"] |= {"Content-Type": "Application/Json"}
    once = '"success": true, "phone": "89000000011", "id": "022760"'
    assert api.pass_gateway(event | {"body": f'{{{once}, "{name}": 1}}'}).status == 400
    assert api.pass_gateway(event | {"body": f"{{{once}}}"}).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("{", None),
        ("[1]", "application/json"),
        ("waitcall", "application/x-www-form-urlencoded"),
        ("<xml/>", "text/xml"),
        ("\x00" * 20_000, None),
        ("&".join(["a=1"] * 121), None),
        ("--x7--", "multipart/form-data; boundary=x7"),
        ("--x7\r\n\r\n1\r\n--x7--", "multipart/form-data; boundary=x7"),
        ('--x7\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "multipart/form-data; boundary=x7"),
        ("a=1", "multipart/form-data"),
        ("{" * 16_000, "application/json"),
    ],
)
def test_a_body_that_is_not_understood_has_a_metric_of_its_own(api: Api, body: str, content_type: str | None) -> None:
    answer = report_with(api, body, content_type)
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.measured("UnreadableWebhooks") == [(1, "smsc")]
    assert api.metrics()["OtherWebhooks"] == 0


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", "a=" + "x" * 17_000, 400),
        ("application/x-www-form-urlencoded", "&".join(["a=1"] * 121), 400),
        ("application/json", "[1]", 400),
        ("application/json", "{", 400),
        ("application/json", '{"id": 1, "status": {"a": 1}}', 200),
    ],
)
def test_a_webhooks_body_is_bounded_and_readable(api: Api, content_type: str, body: str, status: int) -> None:
    event = webhook_event(SMSC_PATH, "POST", body=body)
    event["headers"]["content-type"] = content_type
    assert api.pass_gateway(event).status == status
