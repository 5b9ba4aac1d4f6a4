"""The only reader of settings and of secrets. Builds the service once per container."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.utilities.parameters.base import BaseProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from callverify import aws
from callverify.edge.access import Access
from callverify.events.deliver import Delivery, backoff
from callverify.domain.errors import ConfigurationFault
from callverify.events.publish import Publisher
from callverify.store.items import verification_of_image
from callverify.domain.keys import Keys
from callverify.models import ProviderName, Verification
from callverify.domain.phone import load_numbers_of
from callverify.providers import PROVIDERS
from callverify.providers.base import Provider, ProviderSettings
from callverify.providers.http import VendorHttp, load_requests
from callverify.service import Policy, Service
from callverify.settlement import Settlement
from callverify.store import Store
from callverify.events.telemetry import Telemetry

HOUR = 60 * 60
NEVER_CHANGES = 365 * 24 * HOUR
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
    return Access(keys=keys, read_api_keys=_api_keys, clock=time.time)


@cache
def keys() -> Keys:
    return Keys(_secret("PEPPER_SECRET", max_age=NEVER_CHANGES))


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
    """Origins whose pages may call the API."""
    return _words("ALLOWED_ORIGINS")


# What a request needs besides, to be had at the end of a start-up: see `ready`.


def credentials() -> None:
    """The secrets behind `access`."""
    keys()
    _api_keys()


def secrets() -> None:
    """The secrets behind `service`."""
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


def changes(event: Mapping[str, Any]) -> Iterator[tuple[Verification | None, Verification | None]]:
    """The records before and after each change in an event of the table's stream; None where there is no record."""
    for record in event["Records"]:
        images = record["dynamodb"]
        yield verification_of_image(images.get("OldImage")), verification_of_image(images.get("NewImage"))


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
        return_origins=_words("RETURN_ORIGINS"),
        public_base_url=os.environ.get("PUBLIC_BASE_URL", "").rstrip("/") or None,
        phone_cooldown=_number("PHONE_COOLDOWN_SECONDS", standard.phone_cooldown),
        phone_10m=_number("PHONE_10M_LIMIT", standard.phone_10m),
        ip_10m=_number("IP_10M_LIMIT", standard.ip_10m),
        phone_day=_number("PHONE_DAY_LIMIT", standard.phone_day),
        prefix_10m=_number("PREFIX_10M_LIMIT", standard.prefix_10m),
        key_paid_day=_number("KEY_PAID_DAY_LIMIT", standard.key_paid_day),
        stack_paid_hour=_number("STACK_PAID_HOUR_LIMIT", standard.stack_paid_hour),
        verification_guesses=_number("VERIFICATION_GUESS_LIMIT", standard.verification_guesses),
        phone_guesses=_number("PHONE_GUESS_LIMIT", standard.phone_guesses),
    )


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in os.environ.get(name, "").split(",") if word.strip())


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


class _Secrets(BaseProvider):
    """Powertools' cache of parameters, over Secrets Manager."""

    def _get(self, name: str, **_: Any) -> str:
        return str(aws.client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", ""))

    def _get_multiple(self, path: str, **_: Any) -> dict[str, str]:
        raise NotImplementedError


@cache
def _secrets() -> _Secrets:
    return _Secrets()  # type: ignore[no-untyped-call]


def _api_keys(force: bool = False) -> str:
    return _secret("API_KEYS_SECRET", force=force)


def _secret(setting: str, *, max_age: int | None = None, force: bool = False) -> str:
    """The text of the secret that the environment variable `setting` names, cached for SECRET_CACHE_SECONDS."""
    age = _number("SECRET_CACHE_SECONDS", 240) if max_age is None else max_age
    try:
        text: Any = _secrets().get(os.environ[setting], max_age=age, force_fetch=force)
    except GetParameterError as error:  # Powertools' own, of which nobody could tell what happened
        raise error.__context__ or error from None
    return str(text or "")
