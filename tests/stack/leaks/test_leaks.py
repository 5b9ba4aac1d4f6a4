"""Every journey and every failure, at the loudest: nothing that must not get out gets out."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from werkzeug import Request, Response

from callverify.domain.words import Method
from callverify.events import telemetry
from callverify.providers.base import Per, Proof
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest, manifests
from callverify.runtime import wiring
from functions.deliver_event import app as deliver_event
from functions.publish_event import app as publish_event
from simulators import accounts
from simulators.webhooks import Webhook
from tests.stack.leaks.conftest import (
    ADDRESS,
    METADATA,
    REFERENCE,
    SIGNING_SECRET,
    SIGNING_SECRETS,
    STRANGER,
    USER,
    VENDOR_CREDENTIALS,
    WEBHOOK_TOKENS,
    Kept,
)
from tests.stack.leaks.searcher import digests, written_forms
from tests.support import surroundings
from tests.support.cognito import Pool, SignIn, trigger
from tests.support.follow_ups import end
from tests.support.forgeries import Pairs, forger
from tests.support.gateway import WEBHOOK_BASE, load_event, webhook_event
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import CREDENTIALS_SECRET, KEYS_SECRET, LIVE_KEY, READ_KEY, TEST_KEY
from tests.support.twilio_verify import Client as SdkClient

FIELDS: dict[str, Any] = {"reference": REFERENCE, "metadata": {"note": METADATA}, "end_user_ip": ADDRESS}
ROUTES = [(each.name, route) for each in manifests() for route in each.routes]
STARTS: dict[str, dict[str, Any]] = {
    f"{name} {route.method}": {"provider": name, "method": route.method} for name, route in ROUTES
}
FLASH: dict[str, Any] = {"method": "flash_call"}
START_EVENT = f"start_{NAMES[0]}"
OUR_CODE = next(name for name, route in ROUTES if route.method is Method.FLASH_CALL and route.code and route.code.ours)
READ_BACK = next(name for name, route in ROUTES if route.read_back and not route.code)
REVERSE: dict[str, Any] = {"provider": READ_BACK, "method": "reverse_call"}
REPORTING = [name for name in NAMES if manifest(name).webhook]
SIGNING = [
    (name, route)
    for name, route in ROUTES
    if route.webhook and route.webhook.proof is Proof.SIGNATURE and not route.webhook.say
]

# The table keeps what the customer sends, keyed hashes, and the address as a keyed hash; replies echo the former.
MAY_BE_AT_REST = {"raw body", "keyed hash"}
MAY_BE_IN_REPLIES = {"raw body"}


def assert_nothing_leaked(kept: Kept) -> None:
    kept.stream()
    searcher = kept.searcher()
    log = kept.logged()
    assert searcher.find(log) == set()
    assert searcher.find("\n".join(kept.at_rest)) <= MAY_BE_AT_REST
    assert searcher.find("\n".join([*kept.replies, *kept.events])) <= MAY_BE_IN_REPLIES
    assert searcher.find("\n".join(kept.starts)) <= MAY_BE_IN_REPLIES | {"client token"}
    starts = ('"message":"POST /verifications', '"message":"Cognito CreateAuthChallenge')
    assert any(start in log for start in starts), "nothing was logged: the searcher had nothing to look at"
    assert kept.at_rest
    assert kept.replies or kept.starts


# Journeys


def reverse_call(kept: Kept) -> None:
    api = kept.api
    started = api.start(USER, **REVERSE, **FIELDS, headers={"Idempotency-Key": "once"})
    api.start(USER, **REVERSE, **FIELDS, headers={"Idempotency-Key": "once"})
    api.start(USER, **REVERSE)
    api.status(started.id, credential=started["client_token"])
    api.dial(started, STRANGER)
    api.advance(4)
    api.ask(started.id)
    api.dial(started, USER)
    for webhook in list(kept.webhooks):
        api.send_webhook(webhook)
    api.bring_follow_up()
    assert api.status(started.id)["status"] == "verified"


def signed_call(kept: Kept) -> None:
    """At each vendor that signs, genuine reports and forged ones."""
    api = kept.api
    for name, route in SIGNING:
        given = CREDENTIALS[name]
        url = accounts.webhook_url(name, given, WEBHOOK_BASE)
        assert url
        started = api.start(USER, provider=name, method=route.method, **FIELDS)
        genuine = forger(name, given).report(USER, "", api.now)
        forged: list[Pairs] = [
            *([(field, "" if field == emptied else value) for field, value in genuine] for emptied, _ in genuine),
            [(field, "ab" * 16 if len(value) >= 32 else value) for field, value in genuine],
            forger(name, given).report(USER, "", api.now - 10**6),
            forger(name, given).report(STRANGER, "", api.now),
        ]
        for report in forged:
            webhook = Webhook(name, url, route.window.default, dict(report))
            kept.webhooks.append(webhook)
            api.send_webhook(webhook)
        api.dial(started, USER)
        assert api.status(started.id)["evidence"] == "provider_signature"
        api.advance(1300)


def flash_call(kept: Kept) -> None:
    api = kept.api
    started = api.start(USER, **FLASH, **FIELDS, allowed_methods=["flash_call", "reverse_call"])
    api.check(started.id, api.wrong_code(USER))
    api.check(started.id, "12345")
    api.advance(70)
    api.repeat(started.id)
    api.switch(started.id, STRANGER, "reverse_call")
    api.advance(30)
    api.switch(started.id, USER, "reverse_call")
    api.advance(30)
    api.switch(started.id, USER, "flash_call")
    answer = api.check(started.id, api.code(USER), credential=started["client_token"])
    assert answer["valid"]
    api.check(started.id, api.code(USER))


def ends(kept: Kept) -> None:
    """Exhausted, canceled, expired, limited; and test mode."""
    api = kept.api
    started = api.start(USER, **FLASH, **FIELDS)
    for _ in range(6):
        api.check(started.id, api.wrong_code(USER))
    api.advance(30)
    canceled = api.start(USER, **FLASH)
    for _ in range(5):
        api.check(canceled.id, api.wrong_code(USER))
    api.start(USER, **FLASH)
    api.send("cancel", id=canceled.id)
    expired = api.start(STRANGER, **REVERSE)
    api.advance(121)
    api.status(expired.id)
    end(wiring.service(), expired.id)
    for phone in ("+79000000101", "+79000000103", "+79000000104", USER):
        api.start(phone, credential=TEST_KEY)


def bad_requests(kept: Kept) -> None:
    api = kept.api
    api.start(USER, **REVERSE)
    for form in written_forms(USER):
        api.start(form, **FLASH)
        api.start(f"{form} ext. 1", **FLASH)
        api.start(form, method=[form])
    bodies = [f'{{"phone": "{USER}"', f'{{"phone": {USER[1:]}}}', f'["{USER}"]', USER, f'{{"phone": "{USER}", "x": 1}}']
    for body in bodies:
        api.send(START_EVENT, raw_body=body)
        api.send("check_wrong", id="vrf_x", raw_body=body)
        api.send("repeat", id="vrf_x", raw_body=body)
        api.send("switch", id="vrf_x", raw_body=body)
    api.start(USER, end_user_ip=f"{ADDRESS}/32")
    api.start(USER, return_url=f"https://evil.example/?phone={USER}")
    api.start(USER, metadata={"note": [METADATA]})


def credentials(kept: Kept) -> None:
    api = kept.api
    started = api.start(USER, **FLASH)
    token = started["client_token"]
    for credential in (None, LIVE_KEY[:-1], f"{token}x", READ_KEY, token, LIVE_KEY):
        api.status(started.id, credential=credential)
        api.check(started.id, "0000", credential=credential)
        api.send("cancel", id="vrf_of_another", credential=credential)
    api.advance(1801)
    api.status(started.id, credential=token)


def lost_webhooks(kept: Kept) -> None:
    """What comes to the webhooks' addresses, in shapes that nobody foresaw."""
    api = kept.api
    started = api.start(USER, **REVERSE)
    queries: list[dict[str, list[str]] | None] = [None, {"phone": [USER, USER]}, {"success": ["True"], "phone": [USER]}]
    bodies = [None, f'{{"phone": "{USER}"}}', f"phone={quote(USER)}&success=True&id=1", "\ud800", "{" * 5000]
    for name in REPORTING:
        hook = manifest(name).webhook
        per_verification = hook is not None and hook.per is Per.VERIFICATION
        token = api.keys.webhook_token(started.id) if per_verification else str(CREDENTIALS[name]["webhook_token"])
        for path_token in (token, f"{token}x"):
            path = (
                f"/webhooks/{name}/{started.id}/{path_token}" if per_verification else f"/webhooks/{name}/{path_token}"
            )
            for query in queries:
                for body in bodies:
                    changed: dict[str, Any] = {"body": body, "multiValueQueryStringParameters": query}
                    if body and body.startswith("{"):
                        changed["headers"] = {"Content-Type": "application/json"}
                    api.pass_gateway(webhook_event(path, "POST", **changed))
        kept.webhooks.append(Webhook(name, f"https://api.example/{token}", 120))


def sdk(kept: Kept) -> None:
    """Twilio's SDKs name numbers in paths, and everything in forms."""
    api = kept.api
    api.start(STRANGER, **FLASH)
    client = SdkClient(api, load_event)
    created = client.create(USER, "call", DeviceIp=ADDRESS, Tags=json.dumps({"note": METADATA}))
    assert created.status == 201
    for to in written_forms(USER):
        client.check(To=to, Code=api.wrong_code(USER))
        client.post(To=to, Channel="call", CustomCode=api.code(USER))
        client.post(**{"Channel": "call", to: to})
        client.fetch(to)
    client.create(USER)
    client.attempts(VerificationSid=created["sid"], ChannelDataTo=USER)
    client.update(USER, "approved")
    client.update(USER)
    api.advance(400)
    reverse = client.create(USER, "sna")
    assert reverse.status == 201
    client.check(VerificationSid=reverse["sid"])
    client.check(To=USER)
    SdkClient(api, load_event, LIVE_KEY[:-1]).fetch(USER)
    client.get(f"Lookups/{quote(USER)}")


def sign_in(kept: Kept) -> None:
    """At a user pool, whose triggers raise what they refuse."""
    api, pool = kept.api, Pool()

    def sign_in_by(phone: str, **metadata: str) -> SignIn:
        begun = pool.sign_in(phone, **metadata)
        kept.client_tokens.add(begun.public["client_token"])
        kept.starts.append(json.dumps([begun.public, begun.private, begun.rounds]))
        kept.stream()
        return begun

    pool.sign_up(USER)
    pool.account(STRANGER, phone_number_verified="true")
    first = sign_in_by(USER, locale="ru")
    refused = [
        partial(pool.sign_up, USER, email=USER),
        partial(pool.sign_up, f"{USER}0"),
        partial(pool.sign_in, USER),
        partial(pool.sign_in, STRANGER, method=STRANGER),
        partial(trigger, "create", pool=USER),
    ]
    for each in refused:
        kept.lambda_runs(lambda act, _: act["act"](), {"act": each})
    api.simulators.dial(STRANGER, first.public["number"])
    assert not first.answer(USER)
    api.simulators.dial(USER, first.public["number"])
    api.bring_follow_up()
    assert first.answer(first.id)
    second = sign_in_by(STRANGER, method="flash_call")
    assert not second.answer(api.wrong_code(STRANGER))
    assert second.answer(api.code(STRANGER))
    api.status(second.id)


JOURNEYS = [sdk, reverse_call, signed_call, flash_call, ends, bad_requests, credentials, lost_webhooks, sign_in]


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__)
def test_no_journey_leaks(kept: Kept, journey: Callable[[Kept], None]) -> None:
    journey(kept)
    assert_nothing_leaked(kept)


# Failures

MODES = ["timeout", "http_500", "malformed_json", "no_money", "bad_credentials", "number_refused"]


@pytest.mark.parametrize("route", STARTS)
def test_no_failure_of_a_vendor_leaks(kept: Kept, route: str) -> None:
    for mode in MODES:
        kept.api.simulators.fault(STARTS[route]["provider"], mode, times=2)
        kept.api.start(USER, **STARTS[route], **FIELDS)
        kept.api.simulators.client.delete("/faults")
        kept.api.advance(700)
    assert_nothing_leaked(kept)


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A vendor that says all that it was told, as the text of an error, with its own secrets in a redirect."""
    request = Request(environ)
    said = f"{request.headers.get('Authorization')} {request.url} {request.get_data(as_text=True)}"
    # A refusal in every vendor's words at once.
    body = {"success": False, "status": False, "error": said, "error_code": 1, "code": 3}
    headers = {"Location": request.url, "Set-Cookie": f"said={quote(said)}"}
    return Response(json.dumps(body), 400, headers, mimetype="application/json")(environ, start_response)


@pytest.mark.parametrize("route", STARTS)
def test_a_vendor_that_echoes_everything_leaks_nothing(kept: Kept, route: str) -> None:
    with mock.patch.object(kept.api.simulators.client, "application", echo):
        kept.api.start(USER, **STARTS[route], **FIELDS)
    assert "vendor_words" in kept.logged()
    assert_nothing_leaked(kept)


@pytest.mark.parametrize("route", STARTS)
def test_a_vendor_out_of_reach_leaks_nothing(kept: Kept, route: str) -> None:
    kept.api.configure(STARTS[route]["provider"], base_url="http://127.0.0.1:9/path")
    kept.api.start(USER, **STARTS[route], **FIELDS)
    assert_nothing_leaked(kept)


@pytest.mark.parametrize("where", ["store", "provider", "code"])
def test_a_fault_of_ours_leaks_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """An error whose text, and whose cause's text, holds everything."""
    api = kept.api
    started = api.start(USER, **FLASH)
    api.advance(400)
    code = api.code(USER)
    secrets = " ".join([*VENDOR_CREDENTIALS, *SIGNING_SECRETS, *WEBHOOK_TOKENS])
    text = f"{USER} {code} {LIVE_KEY} {secrets} https://x.example/{started['client_token']}"

    def fail(*_: object, **__: object) -> None:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise RuntimeError(text) from error

    target = {
        "store": "callverify.store.Store.apply",
        "provider": f"callverify.providers.{OUR_CODE}.client.Client.start",
        "code": "callverify.domain.keys.Keys.code",
    }[where]
    with monkeypatch.context() as patched:
        patched.setattr(target, fail)
        assert api.start(USER, **FLASH, provider=OUR_CODE).status == 500
    assert "internal error" in kept.logged()
    assert_nothing_leaked(kept)


def spoilt(change: Callable[[object], object]) -> str:
    """The providers' credentials with a mistake in every one."""
    given = {name: {field: change(value) for field, value in each.items()} for name, each in CREDENTIALS.items()}
    return json.dumps(given)


@pytest.mark.parametrize("secret", [CREDENTIALS_SECRET, KEYS_SECRET])
def test_broken_secrets_leak_nothing(kept: Kept, secret: str) -> None:
    api = kept.api
    text = surroundings.aws_client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    good = json.loads(text)
    broken = [
        text[:-1],
        json.dumps(text),
        json.dumps([LIVE_KEY, *VENDOR_CREDENTIALS]),
        json.dumps({name: [value] for name, value in good.items()} if isinstance(good, dict) else [[LIVE_KEY], good]),
        spoilt(lambda value: [value]),
        spoilt(lambda value: f"{value}/.."),
        spoilt(lambda value: f"{value} "),
        spoilt(lambda value: f"{value}\n"),
        json.dumps({name: dict([*given.items()][:1]) for name, given in CREDENTIALS.items()}),
        json.dumps(
            {name: {str(value): field for field, value in given.items()} for name, given in CREDENTIALS.items()}
        ),
    ]
    api.start(USER, **FLASH)
    for each in broken:
        surroundings.put_secret(secret, each)
        surroundings.new_container()
        for fields in STARTS.values():
            api.start(STRANGER, **fields)
    assert_nothing_leaked(kept)


def test_events_and_their_failures_leak_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings.put_secret("event-signing", json.dumps([SIGNING_SECRET]))
    api = kept.api
    kept.images = {}
    started = api.start(USER, **FLASH, **FIELDS)
    kept.images = {}
    records = {"Records": kept.stream()}
    bus = mock.Mock()

    def put_events(Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        kept.events.extend(json.dumps(entry) for entry in Entries)
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    def send_message_batch(QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: ARG001, N803
        kept.events.extend(json.dumps(entry) for entry in Entries)
        return {}

    bus.put_events.side_effect = put_events
    queue = mock.Mock()
    queue.send_message.side_effect = lambda **message: kept.events.append(json.dumps(message))
    queue.send_message_batch.side_effect = send_message_batch
    clients = {"events": bus, "sqs": queue}
    monkeypatch.setenv("REPUBLISH_QUEUE_URL", "https://sqs.example/republish")
    monkeypatch.setattr("callverify.aws.client", lambda name: clients.get(name) or surroundings.aws_client(name))
    kept.lambda_runs(publish_event.handler, records)
    bus.put_events.side_effect = None
    bus.put_events.return_value = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    kept.lambda_runs(publish_event.handler, records)
    # To the bus and to the customer's queue; then to that queue again, and aside.
    assert len(kept.events) == 4
    body = json.dumps({"id": "evt_1", "type": "verification.started", "data": api.status(started.id).body})
    message = {"messageId": "1", "body": body, "receiptHandle": "x", "attributes": {"ApproximateReceiveCount": "1"}}
    for url in ("http://127.0.0.1:9/", "https://127.0.0.1:9/", "gopher://"):
        monkeypatch.setenv("EVENT_WEBHOOK_URL", f"{url}{SIGNING_SECRET}")
        wiring.delivery.cache_clear()
        kept.lambda_runs(deliver_event.handler, {"Records": [message]})
    assert "not delivered" in kept.logged()
    assert_nothing_leaked(kept)


# The searcher finds what is there


def planted(kept: Kept) -> dict[str, list[str]]:
    """One of each kind, in the forms in which it could get out."""
    hashed = [next(digests(form)) for form in written_forms(USER)]
    code = next(iter(kept.codes))
    key = LIVE_KEY.encode()
    return {
        "phone": [*written_forms(USER), quote(quote(USER)), base64.b64encode(f"phone={USER}".encode()).decode()],
        "hash of a phone": [*hashed, hashlib.sha256(USER.encode()).hexdigest()],
        "code": [code, f'"code": "{code}"', f"code={code}&"],
        "hash of a code": list(digests(code)),
        "API key": [LIVE_KEY, base64.b64encode(b"Bearer " + key).decode(), key.hex()],
        "client token": list(kept.client_tokens),
        "webhook token": [*(webhook.url for webhook in kept.webhooks), *WEBHOOK_TOKENS],
        "vendor credential": [*VENDOR_CREDENTIALS, *(f"https://x/calls/{each}/a" for each in VENDOR_CREDENTIALS)],
        "vendor's signing secret": [*SIGNING_SECRETS],
        "hash of vendor's signing secret": [hashlib.md5(each.encode()).hexdigest() for each in SIGNING_SECRETS],
        "pepper": [surroundings.PEPPER],
        "signing secret": [SIGNING_SECRET],
        "keyed hash": [kept.api.keys.hash_phone(USER)],
        "raw body": [json.dumps({"metadata": {"a": METADATA}}), REFERENCE],
        "address": [ADDRESS],
    }


def test_the_searcher_finds_one_of_each_kind(kept: Kept) -> None:
    flash_call(kept)
    kept.api.dial(kept.api.start(STRANGER, **REVERSE), STRANGER)
    searcher = kept.searcher()
    filler = kept.logged()
    assert searcher.find(filler) == set()
    for kind, texts in planted(kept).items():
        assert texts, kind
        for text in texts:
            assert kind in searcher.find(f"{filler}x {text} y{filler}"), (kind, text)


WAYS_INTO_THE_LOG: dict[str, Callable[[str], None]] = {
    "our logger": lambda text: telemetry.logger.debug("said", extra={"what": text}),
    "a library's logger": lambda text: logging.getLogger("some.library").debug("said %s", text),
    "a warning of HTTP": lambda text: logging.getLogger("botocore.endpoint").warning(text),
    "print": print,
    "standard error": lambda text: print(text, file=sys.stderr),
    "a metric": lambda text: wiring.telemetry().count("Said", provider=text),
}


@pytest.mark.parametrize("way", WAYS_INTO_THE_LOG)
def test_whatever_is_written_is_searched(kept: Kept, way: str) -> None:
    kept.api.start(USER, **REVERSE)
    assert_nothing_leaked(kept)
    WAYS_INTO_THE_LOG[way](USER)
    with pytest.raises(AssertionError, match="phone"):
        assert_nothing_leaked(kept)


@pytest.mark.parametrize(("library", "leak"), [("botocore", "keyed hash"), ("urllib3", "vendor")])
def test_a_library_let_loose_would_leak(kept: Kept, library: str, leak: str) -> None:
    """Why the levels of these loggers are fixed: without that, this is what they write."""
    loose = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == library]
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).disabled) for name in loose}
    try:
        for name in loose:
            logging.getLogger(name).setLevel(logging.DEBUG)
            logging.getLogger(name).disabled = False
        reverse_call(kept)
    finally:
        for name, (level, disabled) in before.items():
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).disabled = disabled
    assert any(leak in kind for kind in kept.searcher().find(kept.logged()))
