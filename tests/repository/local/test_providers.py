"""The providers of a local stack: accounts that both sides accept, and what can be changed about them."""

import json
from typing import Any, ClassVar

import pytest

from callverify.domain.words import Method
from callverify.providers.base import Manifest, Per, Proof, Route, Webhook, Window
from callverify.providers.credentials import Text
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from local import providers
from local.processes import LocalStackError
from simulators import accounts
from simulators.vendor import Vendor
from tests.support.simulators import Simulators

SIMULATORS = "http://127.0.0.1:4600"
BASE_URL = "http://127.0.0.1:4566/v1"
FIRST, SECOND = NAMES[:2]
PER_ACCOUNT = [name for name in NAMES if (hook := manifest(name).webhook) and hook.per is Per.ACCOUNT]


def credentials(**environment: str) -> dict[str, Any]:
    return providers.credentials(SIMULATORS, providers.told(environment))


def test_every_provider_has_an_account_at_its_simulator() -> None:
    made = credentials()
    assert [*made] == [*NAMES]
    assert {name: given["base_url"] for name, given in made.items()} == {name: f"{SIMULATORS}/{name}" for name in NAMES}


@pytest.mark.parametrize("changes", ["", "{}", f'{{"{FIRST}": {{}}}}'])
@pytest.mark.parametrize("name", NAMES)
def test_a_provider_can_be_pointed_elsewhere(name: str, changes: str) -> None:
    made = credentials(**{f"{name.upper()}_BASE_URL": "https://vendor.example", "PROVIDERS": changes})
    assert made[name]["base_url"] == "https://vendor.example"
    assert all(given["base_url"] == f"{SIMULATORS}/{other}" for other, given in made.items() if other != name)


def test_changes_are_merged_deep_and_null_takes_away() -> None:
    method = str(manifest(FIRST).routes[0].method)
    changes = {FIRST: {"window_seconds": {method: 20}}, SECOND: None}
    made = credentials(PROVIDERS=json.dumps(changes))
    assert made[FIRST]["window_seconds"] == {method: 20}
    assert made[FIRST].keys() > {"window_seconds", "base_url"}
    assert SECOND not in made


def test_a_url_and_changes_of_one_provider_are_both_heard() -> None:
    told = {
        f"{FIRST.upper()}_BASE_URL": "https://vendor.example",
        f"{SECOND.upper()}_BASE_URL": "https://other.example",
    }
    made = credentials(**told, PROVIDERS=json.dumps({FIRST: {"window_seconds": 20}, SECOND: None}))
    assert (made[FIRST]["base_url"], made[FIRST]["window_seconds"]) == ("https://vendor.example", 20)
    assert SECOND not in made


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{", "PROVIDERS is no JSON"),
        ("[]", "PROVIDERS must be like"),
        (f'{{"{FIRST}": 20}}', "PROVIDERS must be like"),
        ('{"nobody": {}}', f"there is no provider nobody; known providers are {', '.join(NAMES)}"),
        (f'{{"{FIRST}": {{"window_seconds": 0}}}}', f"provider-credentials: {FIRST}.window_seconds must be from 1"),
        (
            f'{{"{FIRST}": {{"windowseconds": 20}}}}',
            f"provider-credentials: {FIRST} has an unknown field 'windowseconds'",
        ),
    ],
)
def test_what_the_service_could_not_use_is_refused_at_once(said: str, problem: str) -> None:
    with pytest.raises(LocalStackError, match=problem):
        credentials(PROVIDERS=said)


def test_what_is_ours_to_choose_is_another_with_every_stack() -> None:
    for name in PER_ACCOUNT:
        first, second = credentials()[name], credentials()[name]
        assert first["webhook_token"] != second["webhook_token"]


def test_the_env_file_names_where_vendors_report_the_calls_of_an_account() -> None:
    made = credentials()
    env = providers.environment(made, BASE_URL)
    urls = {name: value for name, value in env.items() if name.endswith("_WEBHOOK_URL")}
    assert urls == {
        f"{name.upper()}_WEBHOOK_URL": f"{BASE_URL}/webhooks/{name}/{made[name]['webhook_token']}"
        for name in PER_ACCOUNT
    }
    assert PER_ACCOUNT


def test_names_that_the_contract_gives() -> None:
    made = credentials()
    env = providers.environment(made, BASE_URL)
    assert env["SMSC_CALLBACK_SECRET"] == made["smsc"]["callback_secret"]
    assert env["SMS_RU_API_ID"] == made["sms_ru"]["api_id"]
    assert env.keys() >= {"SMSC_WEBHOOK_URL", "SMSC_CALLBACK_SECRET", "SMS_RU_WEBHOOK_URL", "SMS_RU_API_ID"}


def test_a_later_vendor_of_that_kind_is_named_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Simulator(Vendor):
        credentials: ClassVar = {"api_id": "of-the-vendor"}
        signs_with = "api_id"

    made_up = Manifest(
        "later_one",
        "Later",
        "https://later.example",
        (Text("api_id"), Text("webhook_token", least=16)),
        (Route(Method.REVERSE_CALL, Window(300, 300), paid=False, webhook=Webhook(Per.ACCOUNT, Proof.HINT)),),
    )
    monkeypatch.setattr(accounts, "manifest", lambda _: made_up)
    monkeypatch.setattr(accounts, "simulator", lambda _: Simulator)
    given = accounts.credentials("later_one")
    assert providers.environment({"later_one": given}, BASE_URL) == {
        "LATER_ONE_WEBHOOK_URL": f"{BASE_URL}/webhooks/later_one/{given['webhook_token']}",
        "LATER_ONE_API_ID": "of-the-vendor",
    }


def test_an_account_is_one_that_the_simulator_accepts(simulators: Simulators) -> None:
    for name, given in credentials().items():
        for line in simulators.lines(name, credentials=given):
            assert simulators.order(line).challenge
