"""What leads to the stack besides its own address: a domain, and a Cognito user pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cli.doctor.stack import Finding, Stack, State, get, problem

TRIGGERS = ("PreSignUp", "DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
FLOWS = {"ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
# Of a client that names none: CreateUserPoolClient, Amazon Cognito's API reference, 2026-11.
DEFAULT_FLOWS = {*FLOWS, "ALLOW_USER_SRP_AUTH"}
DEFAULT_SESSION_MINUTES, LEAST_SESSION_MINUTES = 3, 5


def check_domain(stack: Stack) -> Iterator[Finding]:
    domain = stack.parameters.get("DomainName")
    if not domain:
        return
    record = f"the DNS record of {domain} must point to {stack.outputs['DomainTarget']}"
    answer = get(f"https://{domain}/v1/verifications/vrf_doctor")
    if isinstance(answer, str):
        yield Finding("domain", State.FAULT, f"{domain}: {answer}", f"{record}; parameter CertificateArn")
    elif answer.status_code == 401 and problem(answer).get("code") == "unauthorized":
        yield Finding("domain", State.OK, f"{domain} reaches this API")
    else:
        says = f"{domain} answered {answer.status_code}, not this API's 401"
        yield Finding("domain", State.FAULT, says, f"{record}; then parameter DomainName")


def check_user_pool(stack: Stack) -> Iterator[Finding]:
    """The settings that docs/cognito.md asks for: without them, others get in, or nobody."""
    arn = stack.parameters.get("CognitoUserPoolArn")
    if not arn:
        return
    if arn == "pending":
        yield Finding(
            "user pool", State.WARNING, "no pool is set: every sign-in is refused", "parameter CognitoUserPoolArn"
        )
        return
    client, pool_id = stack.clients["cognito-idp"], arn.rpartition("/")[2]
    pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    pages = client.get_paginator("list_user_pool_clients").paginate(UserPoolId=pool_id)
    apps = [
        client.describe_user_pool_client(UserPoolId=pool_id, ClientId=each["ClientId"])["UserPoolClient"]
        for page in pages
        for each in page["UserPoolClients"]
    ]
    found = [*_pool(pool, stack.outputs["CognitoTriggers"]), *(finding for app in apps for finding in _app(app))]
    if not any("ALLOW_CUSTOM_AUTH" in _flows(app) for app in apps):
        says = "no app client allows ALLOW_CUSTOM_AUTH: nobody can sign in by a call"
        found.append(Finding("user pool", State.FAULT, says, "ExplicitAuthFlows of an app client"))
    yield from found or [Finding("user pool", State.OK, pool_id)]


def _pool(pool: Mapping[str, Any], triggers: str) -> Iterator[Finding]:
    led = pool.get("LambdaConfig", {})
    if elsewhere := [name for name in TRIGGERS if led.get(name) != triggers]:
        says = f"{', '.join(elsewhere)} of {pool['Id']} don't call this stack"
        yield Finding("user pool", State.FAULT, says, f"LambdaConfig of the pool: {triggers} for all four triggers")
    if pool.get("UsernameAttributes") != ["phone_number"]:
        says = f"{pool['Id']} does not identify accounts by phone number"
        yield Finding("user pool", State.FAULT, says, "create a pool whose UsernameAttributes are [phone_number]")


def _flows(app: Mapping[str, Any]) -> set[str]:
    return set(app.get("ExplicitAuthFlows") or DEFAULT_FLOWS)


def _app(app: Mapping[str, Any]) -> Iterator[Finding]:
    name = f"app client {app['ClientId']}"
    if others := sorted(_flows(app) - FLOWS):
        says = f"{name} allows {', '.join(others)}: users could sign in without a call"
        yield Finding("user pool", State.FAULT, says, f"ExplicitAuthFlows: only {', '.join(sorted(FLOWS))}")
    if "phone_number" in app.get("WriteAttributes", ["phone_number"]):
        says = f"{name} can write phone_number: an account could get a phone that was not verified"
        yield Finding("user pool", State.FAULT, says, "WriteAttributes without phone_number")
    if app.get("PreventUserExistenceErrors") != "ENABLED":
        says = f"{name} reveals whether a phone has an account"
        yield Finding("user pool", State.WARNING, says, "PreventUserExistenceErrors: ENABLED")
    if app.get("AuthSessionValidity", DEFAULT_SESSION_MINUTES) < LEAST_SESSION_MINUTES:
        says = f"{name} gives a user less than {LEAST_SESSION_MINUTES} minutes to call"
        yield Finding("user pool", State.WARNING, says, f"AuthSessionValidity of {LEAST_SESSION_MINUTES} or more")
