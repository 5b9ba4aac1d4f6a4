"""The only reader of settings and of secrets. Builds the service once per container."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from callverify import aws
from callverify.access import Access
from callverify.delivery import Delivery, backoff
from callverify.errors import ConfigurationFault, busy
from callverify.events import Publisher, Unpublished
from callverify.items import verification_of_image
from callverify.keys import Keys
from callverify.models import ProviderName, Verification
from callverify.origins import normal_origin
from callverify.phone import load_numbers_of
from callverify.providers import PROVIDERS
from callverify.providers.base import Provider, ProviderSettings
from callverify.providers.http import VendorHttp, load_requests
from callverify.secret_cache import SecretCache
from callverify.service import Policy, Service
from callverify.settlement import Settlement
from callverify.store import Store
from callverify.telemetry import Telemetry

HOUR = 60 * 60
# Lambda gives a start-up 10 seconds.
READY_SECONDS = 5.0
# Plain http is for vendors' stand-ins beside the stack: this machine, or the one that hosts a container.
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "172.17.0.1", "host.docker.internal"})


@cache
def service() -> Service:
    """The verification service, as the environment describes it."""
    return Service(
        store=_store(),
        keys=keys(),
        policy=_policy(),
        providers=_providers(),
        observer=telemetry(),
        clock=time.time,
    )


@cache
def access() -> Access:
    """API keys and client tokens."""
    return Access(keys=keys, read_api_keys=_api_keys, clock=time.time, fault=telemetry().configuration_fault)


@cache
def keys() -> Keys:
    """What is derived from the pepper, which has to be the one that the table knows. Raises Busy."""
    keys = Keys(_secret("PEPPER_SECRET"))
    if not _store().knows_pepper(keys.fingerprint()):
        fault = ConfigurationFault("pepper", "it is not the one that the hashes in the table were made with")
        telemetry().configuration_fault(fault)
        raise busy() from fault
    return keys


@cache
def telemetry() -> Telemetry:
    return Telemetry()


@cache
def settlement() -> Settlement:
    """What is done at the end of windows."""
    url = os.environ["SETTLEMENT_QUEUE_URL"]
    return Settlement(
        service=service,
        send=lambda message, delay: _sqs().send_message(QueueUrl=url, MessageBody=message, DelaySeconds=delay),
        clock=time.time,
        note=telemetry().note,
    )


@cache
def publisher() -> Publisher:
    """What tells the outside of transitions."""
    url = os.environ.get("DELIVERY_QUEUE_URL", "")
    return Publisher(
        store=_store(),
        bus=aws.client("events"),
        bus_name=os.environ["EVENT_BUS_NAME"],
        enqueue=(lambda body: _sqs().send_message(QueueUrl=url, MessageBody=body))
        if os.environ.get("EVENT_WEBHOOK_URL")
        else None,
        clock=time.time,
        note=telemetry().note,
        failed=telemetry().unpublished,
    )


@cache
def delivery() -> Delivery:
    """What sends events to the customer's URL."""
    return Delivery(
        url=os.environ.get("EVENT_WEBHOOK_URL", ""),
        read_secrets=lambda: _secret("EVENT_SIGNING_SECRET"),
        allow_private=os.environ.get("ALLOW_PRIVATE_EVENT_URL", "false").lower() == "true",
        clock=time.time,
        about=telemetry().about,
        note=telemetry().note,
    )


@cache
def allowed_origins() -> Collection[str]:
    """Origins whose pages may call the API, in their normal form."""
    return _origins("ALLOWED_ORIGINS", "AllowedOrigins")


# What a request needs besides, to be had at the end of a start-up: see `ready`.


def credentials() -> None:
    """The secrets behind `access`. The table is left to the first client token: API keys do without."""
    _secret("PEPPER_SECRET")
    _api_keys()


def secrets() -> None:
    """The secrets behind `service`, and with the pepper's fingerprint a connection to the table."""
    keys()
    _providers()()


def table() -> None:
    """A connection to the table."""
    _store().connect()


def vendors() -> None:
    """What vendors are asked with."""
    load_requests()


def phones() -> None:
    """The numbering plan of the default country."""
    load_numbers_of(_policy().default_country)


def ready(*fetched: Callable[[], None], imported: Collection[Callable[[], None]] = ()) -> None:
    """The end of a function's start-up: has now what its first request would wait for.

    What fails, or takes too long, is left to that request, which says what is wrong; so is all that is fetched where it
    would grow old in a snapshot. Garbage is collected from now on (see `callverify`), and never looked for again among
    what the start-up made: that stays.
    """
    thread = Thread(target=_try, args=() if aws.before_a_snapshot() else fetched, daemon=True)
    thread.start()
    _try(*imported)
    thread.join(READY_SECONDS)
    gc.freeze()
    gc.enable()


def _try(*parts: Callable[[], None]) -> None:
    for part in parts:
        with contextlib.suppress(Exception):
            part()


def change(record: Mapping[str, Any]) -> tuple[Verification | None, Verification | None]:
    """The record before and after a change in the table's stream; None where there is no record."""
    images = record["dynamodb"]
    return verification_of_image(images.get("OldImage")), verification_of_image(images.get("NewImage"))


def publish(event: Mapping[str, Any]) -> None:
    """Publish what the table's stream brings. What can't be published waits in a queue of its own."""
    for record in _unpublished(event["Records"]):
        _put_aside("REPUBLISH_QUEUE_URL", record)


def publish_again(message: str) -> None:
    """Publish a record that could not be published before. Raises Unpublished."""
    if _unpublished([json.loads(message)]):
        raise Unpublished


def _unpublished(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    failed, readable = [], []
    for record in records:
        try:
            readable.append((record, change(record)))
        except Exception as error:  # one record must not take the others down with it
            telemetry().unpublished(_subject(record), error)
            failed.append(record)
    return failed + [readable[place][0] for place in publisher().publish(each for _, each in readable)]


def schedule(event: Mapping[str, Any]) -> None:
    """Schedule the end of each new attempt's window. A record that can't be read goes to the dead letters."""
    for record in event["Records"]:
        try:
            before, after = change(record)
        except Exception as error:  # likewise
            telemetry().unpublished(_subject(record), error)
            _put_aside("STREAM_DEAD_LETTER_QUEUE_URL", record)
        else:
            settlement().schedule(before, after)


def _put_aside(queue: str, record: Mapping[str, Any]) -> None:
    """Send a record of the stream to a queue, without the hashes, which no event tells."""
    images = {
        name: {each: value for each, value in image.items() if not each.endswith("_hash")}
        if name in ("OldImage", "NewImage")
        else image
        for name, image in record.get("dynamodb", {}).items()
    }
    _sqs().send_message(QueueUrl=os.environ[queue], MessageBody=json.dumps({**record, "dynamodb": images}))


def _subject(record: Mapping[str, Any]) -> str:
    """The verification that a record of the stream is about."""
    return str(record.get("dynamodb", {}).get("Keys", {}).get("pk", {}).get("S", "")).removeprefix("verification#")


def each_message(
    event: Mapping[str, Any],
    act: Callable[[str], None],
    failed: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Act on each SQS message, and tell SQS which ones failed: those alone come again. `failed` is given the record."""
    failures = []
    for record in event["Records"]:
        try:
            act(record["body"])
        except Exception as error:  # one message must not take the others down with it
            telemetry().message_failed(record["messageId"], error)
            failed(record)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def try_later(record: Mapping[str, Any]) -> None:
    """Hide a message that failed from the queue for longer each time."""
    wait = backoff(int(record["attributes"]["ApproximateReceiveCount"]), base=_number("EVENT_RETRY_BASE_SECONDS", 10))
    _sqs().change_message_visibility(
        QueueUrl=os.environ["DELIVERY_QUEUE_URL"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=wait
    )


class Providers:
    """The configured providers in the operator's order. The secret is read again when its cache time is over."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._http = VendorHttp()
        self._secret: str | None = None
        self._providers: dict[ProviderName, Provider] = {}

    def __call__(self) -> Mapping[ProviderName, Provider]:
        secret = _secret("PROVIDER_CREDENTIALS_SECRET")
        if secret != self._secret:
            self._providers = self._configure(secret)
            self._secret = secret
        return self._providers

    def _configure(self, secret: str) -> dict[ProviderName, Provider]:
        try:
            credentials = json.loads(secret or "{}")
        except ValueError:
            credentials = None
        if not isinstance(credentials, dict):
            telemetry().configuration_fault(ConfigurationFault("provider-credentials", "it must be a JSON object"))
            return {}
        providers = {}
        for name in self._policy.provider_order:
            if name not in credentials:
                continue
            try:
                providers[name] = PROVIDERS[name].configure(_mapping(name, credentials[name]), self._settings(name))
            except ConfigurationFault as fault:
                telemetry().configuration_fault(fault)
        return providers

    def _settings(self, name: ProviderName) -> ProviderSettings:
        return ProviderSettings(
            base_url=_base_url(name),
            window=self._policy.windows[name],
            http=self._http,
            webhook_token=keys().webhook_token,
            start_by=os.environ.get("TELEFON_IP_START") or "post",
        )


@cache
def _providers() -> Providers:
    return Providers(_policy())


def _policy() -> Policy:
    standard = Policy()
    return Policy(
        default_country=os.environ.get("DEFAULT_COUNTRY") or standard.default_country,
        allowed_countries=_words("ALLOWED_COUNTRIES") or standard.allowed_countries,
        windows={name: _number(f"{name.upper()}_WINDOW_SECONDS", window) for name, window in standard.windows.items()},
        provider_order=tuple(ProviderName(name) for name in _words("PROVIDER_ORDER")) or standard.provider_order,
        return_origins=_origins("RETURN_ORIGINS", "ReturnOrigins"),
        public_base_url=os.environ.get("PUBLIC_BASE_URL", "").rstrip("/") or None,
        phone_cooldown=_number("PHONE_COOLDOWN_SECONDS", standard.phone_cooldown),
        phone_10m=_number("PHONE_10M_LIMIT", standard.phone_10m),
        ip_10m=_number("IP_10M_LIMIT", standard.ip_10m),
        browser_10m=_number("BROWSER_10M_LIMIT", standard.browser_10m),
        ip_block_10m=_number("IP_BLOCK_10M_LIMIT", standard.ip_block_10m),
        ip_refused_10m=_number("IP_REFUSED_10M_LIMIT", standard.ip_refused_10m),
        phone_day=_number("PHONE_DAY_LIMIT", standard.phone_day),
        prefix_10m=_number("PREFIX_10M_LIMIT", standard.prefix_10m),
        key_paid_day=_number("KEY_PAID_DAY_LIMIT", standard.key_paid_day),
        stack_paid_hour=_number("STACK_PAID_HOUR_LIMIT", standard.stack_paid_hour),
        key_free_hour=_number("KEY_FREE_HOUR_LIMIT", standard.key_free_hour),
        key_refused_hour=_number("KEY_REFUSED_HOUR_LIMIT", standard.key_refused_hour),
        verification_guesses=_number("VERIFICATION_GUESS_LIMIT", standard.verification_guesses),
        phone_guesses=_number("PHONE_GUESS_LIMIT", standard.phone_guesses),
    )


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in os.environ.get(name, "").split(",") if word.strip())


@cache
def _origins(name: str, parameter: str) -> tuple[str, ...]:
    """The origins in a variable that can be met. The others are the operator's mistake, and no reason to stop."""
    found = [(word, normal_origin(word)) for word in _words(name)]
    for word, origin in found:
        if origin is None:
            telemetry().configuration_fault(ConfigurationFault(parameter, f"no page has the origin {word}"))
    return tuple(origin for _, origin in found if origin)


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def _mapping(name: ProviderName, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationFault(f"provider-credentials: {name}", "it must be a JSON object")
    return value


def _base_url(name: ProviderName) -> str:
    setting = f"{name.upper()}_BASE_URL"
    url = os.environ.get(setting, "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS):
        raise ConfigurationFault(setting, "it must be an https URL (plain http is for the local stack alone)")
    return url


@cache
def _store() -> Store:
    return Store(aws.client("dynamodb"), os.environ["TABLE_NAME"], retention=_number("RETENTION_HOURS", 24) * HOUR)


def _sqs() -> Any:
    return aws.client("sqs")


def _api_keys(force: bool = False) -> str:
    return _secret("API_KEYS_SECRET", force=force)


def _secret(setting: str, *, force: bool = False) -> str:
    """The text of the secret that the environment variable `setting` names, cached for SECRET_CACHE_SECONDS.

    Raises Busy where Secrets Manager refuses it: it may be deleted, or access to it denied.
    """
    try:
        text = _secrets().get(setting, max_age=_number("SECRET_CACHE_SECONDS", 240), force=force)
    except ClientError as error:
        if aws.is_busy(error):
            raise
        fault = ConfigurationFault(setting, f"Secrets Manager says {error.response['Error']['Code']}")
        telemetry().configuration_fault(fault)
        raise busy() from fault
    # Which some editors put in front.
    return text.removeprefix("\ufeff")


@cache
def _secrets() -> SecretCache:
    def read(setting: str) -> str:
        answer = aws.client("secretsmanager").get_secret_value(SecretId=os.environ[setting])
        return str(answer.get("SecretString") or "")

    return SecretCache(read=read, clock=time.time, unreadable=telemetry().secret_unreadable)
