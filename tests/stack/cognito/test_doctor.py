"""What `callverify doctor` finds of a user pool: of the one that is deployed here, and of others beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.doctor.doors import check_user_pool
from cli.doctor.stack import Finding, State
from cli.doctor.stack import Stack as Seen
from local.env import write_env
from tests.stack.cognito.conftest import Stack
from tests.support.command import callverify

TRIGGERS = "arn:aws:lambda:eu-central-1:123456789012:function:cognito-triggers:live"
ALL_TRIGGERS = dict.fromkeys(
    ("PreSignUp", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"), TRIGGERS
)
# As in examples/cognito/pool.yaml.
APP: dict[str, Any] = {
    "ClientName": "browser",
    "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "PreventUserExistenceErrors": "ENABLED",
    "WriteAttributes": ["name", "locale"],
    "AuthSessionValidity": 15,
}

# By the words of docs/operations.md: what differs from the example's pool or app client, and what is said of it.
POOL_FAULTS: Mapping[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a trigger of the user pool leads elsewhere": (
        {"LambdaConfig": ALL_TRIGGERS | {"PreSignUp": f"{TRIGGERS}-old"}},
        {},
        "PreSignUp of",
    ),
    "accounts of the user pool are not phones": (
        {"UsernameAttributes": ["email"]},
        {},
        "does not identify accounts by phone",
    ),
    "an app client lets users in without a call": (
        {},
        {"ExplicitAuthFlows": [*APP["ExplicitAuthFlows"], "ALLOW_USER_PASSWORD_AUTH"]},
        "allows ALLOW_USER_PASSWORD_AUTH",
    ),
    "an app client can write `phone_number`": ({}, {"WriteAttributes": ["phone_number"]}, "can write phone_number"),
    "no app client lets users in by a call": (
        {},
        {"ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"]},
        "nobody can sign in by a call",
    ),
}


@pytest.fixture
def cognito(deployed: Stack) -> Any:
    return deployed.cognito


def test_the_deployed_pool_is_well(deployed: Stack, tmp_path: Path) -> None:
    write_env(tmp_path / "env", dict(deployed.env))
    done = callverify("doctor", "--json", "--profile", str(tmp_path / "env"))
    findings = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "user pool"]
    assert [(each["state"], each["says"]) for each in findings] == [("ok", deployed.pool["UserPoolId"])]


def looked(client: Any, pool: Mapping[str, Any], app: Mapping[str, Any], *, arn: str = "") -> list[Finding]:
    """What is found of a pool like the example's, but for these settings."""
    settings = {"LambdaConfig": ALL_TRIGGERS, "UsernameAttributes": ["phone_number"], **pool}
    made = client.create_user_pool(PoolName="users", **settings)["UserPool"]
    client.create_user_pool_client(UserPoolId=made["Id"], **{**APP, **app})
    seen = SimpleNamespace(
        parameters={"CognitoUserPoolArn": arn or made["Arn"]},
        outputs={"CognitoTriggers": TRIGGERS},
        clients={"cognito-idp": client},
    )
    return list(check_user_pool(cast(Seen, seen)))


def test_the_pool_of_the_example_is_well(cognito: Any) -> None:
    (found,) = looked(cognito, {}, {})
    assert (found.check, found.state) == ("user pool", State.OK)


@pytest.mark.parametrize("fault", POOL_FAULTS)
def test_a_fault_of_a_pool_is_named(cognito: Any, fault: str) -> None:
    pool, app, says = POOL_FAULTS[fault]
    (found,) = looked(cognito, pool, app)
    assert (found.check, found.state) == ("user pool", State.FAULT)
    assert says in found.says
    assert found.fix


def test_an_app_client_that_says_nothing_lets_passwords_in(cognito: Any) -> None:
    found = looked(cognito, {}, {"ExplicitAuthFlows": []})
    assert "ALLOW_USER_SRP_AUTH" in found[0].says


def test_what_only_annoys_is_a_warning(cognito: Any) -> None:
    found = looked(cognito, {}, {"PreventUserExistenceErrors": "LEGACY", "AuthSessionValidity": 3})
    assert [each.state for each in found] == [State.WARNING, State.WARNING]


def test_a_pool_that_is_not_named_yet_is_a_warning(cognito: Any) -> None:
    (found,) = looked(cognito, {}, {}, arn="pending")
    assert found.state is State.WARNING
