"""What `callverify doctor` asks of every vendor, at the simulators and in one process."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response
from werkzeug.serving import make_server

from callverify.domain.errors import CallverifyError
from callverify.providers.account import Account, AccountRefused, account_at
from callverify.providers.base import Line, Per
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import lines, manifest
from callverify.service.webhooks import Request
from cli.doctor.providers import check_accounts, check_pending_replies, check_webhooks
from cli.doctor.secrets import check_provider_credentials
from cli.doctor.stack import Check, Finding, Stack, State
from simulators.__main__ import QuietHandler
from simulators.app import create_app
from simulators.vendor import World
from tests.support.service import Parts
from tests.support.simulators import CREDENTIALS

REPORTING = [name for name in NAMES if manifest(name).webhook]
PER_ACCOUNT = [name for name in REPORTING if (hook := manifest(name).webhook) and hook.per is Per.ACCOUNT]
READ_BACK = [name for name in NAMES if any(route.read_back and not route.paid for route in manifest(name).routes)]
every_provider = pytest.mark.parametrize("name", NAMES)


class InProcess(Stack):
    """A stack of which only the secret `provider-credentials`, ProviderOrder and the base URL are asked."""

    def __init__(self, given: Any, base_url: str = "http://127.0.0.1:1") -> None:
        self.name, self.base_url, self.aws_ahead, self._phone = "made-up", base_url, 0.0, ""
        self.parameters = {"ProviderOrder": ",".join(NAMES)}
        self._given = given if isinstance(given, str) else json.dumps(given)

    def secret(self, name: str) -> str:
        assert name == "provider-credentials"
        return self._given


class Configured(Parts):
    """The service with the credentials that the simulators accept."""

    def lines(self) -> list[Line]:
        return [line for name in NAMES for line in lines(name, CREDENTIALS[name], VendorHttp())]


class Vendors:
    """The simulators on a port, and an API that takes reports."""

    def __init__(self, serve: Callable[[Flask], str]) -> None:
        self.app = create_app(World(hold=lambda: None))
        self.url = serve(self.app)
        api, service = Flask("api"), Configured().service

        @api.get("/webhooks/<path:path>")
        def report(path: str) -> Response:
            name, *rest = path.split("/")
            try:
                return Response(service.report(Request(name, rest, dict)).body)
            except CallverifyError as error:
                return Response(
                    json.dumps(error.problem("request-1", "")), error.status, content_type="application/json"
                )

        self.api_url = serve(api)

    def given(self, name: str, **changed: Any) -> dict[str, Any]:
        return CREDENTIALS[name] | {"base_url": f"{self.url}/{name}"} | changed

    def stack(self, name: str, **changed: Any) -> Stack:
        return InProcess({name: self.given(name, **changed)}, self.api_url)

    def fault(self, name: str, mode: str, **more: Any) -> None:
        response = self.app.test_client().post("/faults", json={"provider": name, "mode": mode, **more})
        assert response.status_code == 200, response.text


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    servers = []

    def serve(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield Vendors(serve)
    for server in servers:
        server.shutdown()
        server.server_close()


def one(check: Check, stack: Stack) -> Finding:
    (found,) = check(stack)
    return found


@every_provider
def test_an_account_that_is_accepted(name: str, vendors: Vendors) -> None:
    account = account_at(name)(vendors.given(name), f"{vendors.url}/{name}")
    assert account.has_money
    assert account.time is not None
    assert abs(account.time - time.time()) < 10
    found = one(check_accounts, vendors.stack(name))
    assert (found.check, found.state) == (f"account {name}", State.OK)


@every_provider
def test_an_account_without_money(name: str, vendors: Vendors) -> None:
    vendors.fault(name, "no_money", on="balance")
    found = one(check_accounts, vendors.stack(name))
    assert found.state is State.FAULT
    assert re.fullmatch(r"accepted, 0\.00 (RUB|USD) left", found.says)


@every_provider
def test_credentials_that_are_refused_are_not_shown(name: str, vendors: Vendors) -> None:
    wrong = {each: "1" + str(value)[1:] + "1" for each, value in CREDENTIALS[name].items()}
    with pytest.raises(AccountRefused) as caught:
        account_at(name)(wrong, f"{vendors.url}/{name}")
    assert [value for value in wrong.values() if len(value) > 6 and value in str(caught.value)] == []


@every_provider
def test_a_vendor_that_can_not_be_reached(name: str) -> None:
    with pytest.raises(AccountRefused, match="no answer"):
        account_at(name)(CREDENTIALS[name], "http://127.0.0.1:1")


@every_provider
def test_a_clock_that_is_wrong(name: str, vendors: Vendors) -> None:
    vendors.app.test_client().post("/clock", json={"advance": 600})
    *_, found = check_accounts(vendors.stack(name))
    assert (found.check, found.state) == (f"clock {name}", State.FAULT)


@every_provider
def test_credentials_are_judged_as_the_service_judges_them(name: str, vendors: Vendors) -> None:
    assert one(check_provider_credentials, vendors.stack(name)).state is State.OK
    for wrong in ({"window_seconds": 0}, {"base_url": "http://vendor.example"}, {"methods": ["sms"]}, {"odd": 1}):
        found = one(check_provider_credentials, vendors.stack(name, **wrong))
        assert found.state is State.FAULT
        assert found.fix.endswith(f"only {name} is off until it is corrected")
        assert not list(check_accounts(vendors.stack(name, **wrong)))
    assert one(check_provider_credentials, vendors.stack(name, methods=[])).state is State.WARNING


@pytest.mark.parametrize("given", ["", "{}", "[]", "not JSON", '"text"', '{"nobody": {}}'])
def test_a_secret_that_names_no_provider(given: str) -> None:
    found, *_ = check_provider_credentials(InProcess(given))
    assert found.state is State.FAULT
    assert not list(check_accounts(InProcess(given)))


@pytest.mark.parametrize("name", REPORTING)
def test_a_webhook_that_leads_to_this_api(name: str, vendors: Vendors) -> None:
    found = one(check_webhooks, vendors.stack(name))
    assert (found.check, found.state) == (f"webhook {name}", State.OK)


@pytest.mark.parametrize("name", REPORTING)
def test_a_webhook_that_leads_elsewhere(name: str, vendors: Vendors) -> None:
    given = {name: vendors.given(name)}
    for elsewhere in ("http://127.0.0.1:1", vendors.url):
        found = one(check_webhooks, InProcess(given, elsewhere))
        assert found.state is State.FAULT
        assert "PublicBaseUrl" in found.fix


@pytest.mark.parametrize(
    "name", [name for name in REPORTING if getattr(manifest(name).webhook, "per", None) is Per.ACCOUNT]
)
def test_a_webhook_token_that_is_not_in_force(name: str, vendors: Vendors) -> None:
    found = one(check_webhooks, vendors.stack(name, webhook_token="t" * 32))
    assert (found.state, found.says) == (State.FAULT, "answered 404")


@pytest.mark.parametrize("name", READ_BACK)
def test_a_vendor_says_that_it_waits(name: str, vendors: Vendors) -> None:
    found = one(check_pending_replies, vendors.stack(name))
    assert (found.check, found.state) == (f"pending reply {name}", State.OK)


@pytest.mark.parametrize("name", READ_BACK)
def test_a_vendor_that_starts_no_call(name: str, vendors: Vendors) -> None:
    vendors.fault(name, "no_money")
    found = one(check_pending_replies, vendors.stack(name))
    assert (found.state, found.fix) == (State.FAULT, f"vendors/{name}/README.md")


@pytest.mark.parametrize("name", READ_BACK)
def test_outside_the_local_stack_no_call_is_started_unless_a_phone_is_named(name: str) -> None:
    given = {name: CREDENTIALS[name] | {"base_url": "https://127.0.0.2:1"}}
    assert one(check_pending_replies, InProcess(given)).state is State.SKIPPED


def test_what_must_be_left_counts() -> None:
    assert Account(5.0).has_money
    assert not Account(0.0).has_money
    assert not Account(5.0, needed=5.5).has_money
