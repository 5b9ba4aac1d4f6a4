"""A stack with a user pool, deployed in the order of docs/cognito.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from local.aws import STACK_NAME, EmbeddedAws
from local.build import ROOT
from tests.support import stacks
from tests.support.client import Answer, Api, Operator, Secrets, Vendors, until
from tests.support.stacks import Plan

USERS = "users"
SITE_PORT = 8817  # of a site that frames the page
# Sign-ins of one phone follow each other here.
PARAMETERS = {
    "CognitoUserPoolArn": "pending",
    "PhoneCooldownSeconds": "0",
    "AllowedOrigins": f"http://localhost:{SITE_PORT}",
}


@dataclass(frozen=True)
class Stack:
    """callverify, and the pool of examples/cognito/pool.yaml, by the outputs of its stack."""

    env: Mapping[str, str]
    pool: Mapping[str, str]
    used: Secrets

    @cached_property
    def api(self) -> Api:
        return Api(self.env, self.used)

    @cached_property
    def vendors(self) -> Vendors:
        return Vendors(self.env, self.used)

    @cached_property
    def cognito(self) -> Any:
        return Operator(self.env).client("cognito-idp")

    @cached_property
    def functions(self) -> Any:
        return Operator(self.env).client("lambda")

    @cached_property
    def triggers(self) -> str:
        return outputs(self.env, STACK_NAME)["CognitoTriggers"]

    def user(self, phone: str) -> dict[str, str]:
        found = self.cognito.admin_get_user(UserPoolId=self.pool["UserPoolId"], Username=phone)["UserAttributes"]
        return {each["Name"]: each["Value"] for each in found}

    def sign_up(self, phone: str, password: str = "Aa1!" + "x" * 12, **attributes: str) -> Any:
        self.used.phones.add(phone)
        given = [{"Name": name, "Value": value} for name, value in attributes.items()]
        return self.cognito.sign_up(
            ClientId=self.pool["ClientId"], Username=phone, Password=password, UserAttributes=given
        )

    def begin(self, phone: str, **metadata: str) -> SignIn:
        """InitiateAuth, and the answer to the question for parameters."""
        self.used.phones.add(phone)
        asked = self.cognito.initiate_auth(
            ClientId=self.pool["ClientId"], AuthFlow="CUSTOM_AUTH", AuthParameters={"USERNAME": phone}
        )
        assert asked["ChallengeParameters"]["challenge"] == "PROVIDE_PARAMETERS"
        sign_in = SignIn(self, phone, asked["Session"])
        sign_in.answer("-", metadata)
        self.used.texts.add(sign_in.told["client_token"])
        return sign_in


@dataclass
class SignIn:
    """A sign-in as a browser makes it. told: the latest challenge. tokens: once it has ended in them."""

    stack: Stack
    phone: str
    session: str
    told: dict[str, str] = field(default_factory=dict)
    verification_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def answer(self, text: str, metadata: Mapping[str, str] | None = None) -> Any:
        """RespondToAuthChallenge."""
        answered = self.stack.cognito.respond_to_auth_challenge(
            ClientId=self.stack.pool["ClientId"],
            ChallengeName="CUSTOM_CHALLENGE",
            Session=self.session,
            ChallengeResponses={"USERNAME": self.phone, "ANSWER": text},
            ClientMetadata=dict(metadata or {}),
        )
        self.session, self.told = answered.get("Session", ""), answered.get("ChallengeParameters", {})
        self.verification_id = self.told.get("verification_id", self.verification_id)
        self.tokens = answered.get("AuthenticationResult", {})
        if self.tokens:
            self.stack.used.texts |= {self.tokens[name] for name in ("AccessToken", "IdToken", "RefreshToken")}
        return answered

    def call(self) -> None:
        """The user calls the number that they were shown, and the browser sees it."""
        shown = Answer(200, {}, {"challenge": {"number": self.told["number"]}})
        self.stack.vendors.dial(self.phone, shown)
        self.watch("verified")

    def watch(self, status: str) -> None:
        token = self.told["client_token"]

        def read() -> Answer:
            return self.stack.api.read(self.verification_id, key=token).expect(200)

        until(read, lambda answer: bool(answer["status"] == status))


def outputs(env: Mapping[str, str], stack: str) -> dict[str, str]:
    (described,) = Operator(env).client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def code_of(error: ClientError) -> str:
    """What Cognito tells of a trigger's refusal."""
    return str(error.response["Error"]["Message"])


def make_pool(env: Mapping[str, str]) -> None:
    formation = Operator(env).client("cloudformation")
    # The embedded AWS has no firewall for pools.
    formation.create_stack(
        StackName=USERS,
        TemplateBody=(ROOT / "examples/cognito/pool.yaml").read_text(),
        Parameters=[{"ParameterKey": "Firewall", "ParameterValue": "false"}],
    )
    formation.get_waiter("stack_create_complete").wait(StackName=USERS, WaiterConfig={"Delay": 1})
    (described,) = formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    given |= {"CognitoUserPoolArn": outputs(env, USERS)["UserPoolArn"]}
    kept = {name: value for name, value in given.items() if value}
    directory = Path(env["DEV_DIR"]).resolve()
    EmbeddedAws(int(env["AWS_ENDPOINT_URL"].rpartition(":")[2])).deploy(
        directory / "build", kept, directory / "update.log"
    )


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("cognito")
    with stacks.deployed(Plan(PARAMETERS), directory) as env:
        formation = Operator(env).client("cloudformation")
        if USERS not in [each["StackName"] for each in formation.describe_stacks()["Stacks"]]:
            make_pool(env)
        pool = outputs(env, USERS)
        yield Stack(env, pool, Secrets())


def keys_of(stack: Stack) -> list[dict[str, str]]:
    """The pool's public keys, where AWS has them: /<pool>/.well-known/jwks.json."""
    url = f"{stack.env['AWS_ENDPOINT_URL']}/{stack.pool['UserPoolId']}/.well-known/jwks.json"
    keys: list[dict[str, str]] = requests.get(url, timeout=60).json()["keys"]
    return keys
