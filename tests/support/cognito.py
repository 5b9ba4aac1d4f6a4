"""A Cognito user pool in one process, as strict as AWS's: it calls the triggers as docs.aws.amazon.com says it does."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from functions.cognito_triggers import app
from tests.support.gateway import load_event
from tests.support.surroundings import USER_POOL

CLIENT, OTHER_CLIENT = "1example23456789", "2example23456789"


def trigger(name: str, *, client: str = CLIENT, pool: str = USER_POOL, **request: Any) -> dict[str, Any]:
    """The response of a trigger to the event of a file, with these members of its request in their place."""
    event = load_event(f"cognito_{name}")
    event |= {"userPoolId": pool, "callerContext": event["callerContext"] | {"clientId": client}}
    event["request"] |= request
    answered = app.handler(event, SimpleNamespace(aws_request_id="9c1f"))
    assert {**answered, "response": None} == {**event, "response": None}  # returned as it was given
    response: dict[str, Any] = json.loads(json.dumps(answered["response"]))
    return response


class Failed(Exception):
    """NotAuthorizedException."""


class Pool:
    """Its accounts by their phones."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, str]] = {}

    def sign_up(self, phone: str, **attributes: str) -> dict[str, str]:
        response = trigger("sign_up", userAttributes={"phone_number": phone} | attributes)
        assert response["autoConfirmUser"] is True
        assert response["autoVerifyPhone"] is False
        return self.account(phone, **attributes)

    def account(self, phone: str, **attributes: str) -> dict[str, str]:
        """One that is there already."""
        given = {"sub": str(uuid.uuid4()), "phone_number": phone, "phone_number_verified": "false"}
        self.accounts[phone] = given | attributes
        return self.accounts[phone]

    def sign_in(self, phone: str, client: str = CLIENT, **metadata: str) -> SignIn:
        """InitiateAuth, and the answer to the question for parameters: `metadata` is that answer's ClientMetadata."""
        begun = SignIn(self.accounts.get(phone), client)
        assert begun.public == {"challenge": "PROVIDE_PARAMETERS"}
        begun.answer("-", **metadata)
        return begun


class SignIn:
    """One session: what the client is told, and the rounds so far."""

    def __init__(self, account: Mapping[str, str] | None, client: str = CLIENT) -> None:
        self.rounds: list[dict[str, Any]] = []
        self.public: dict[str, str] = {}
        self.private: dict[str, str] = {}
        self.has_tokens = False
        self.client = client
        self._account = account
        self._go_on({})

    @property
    def who(self) -> Any:
        return {"userAttributes": dict(self._account or {}), "userNotFound": self._account is None}

    @property
    def id(self) -> str:
        return self.public["verification_id"]

    def answer(self, text: str, **metadata: str) -> bool:
        """RespondToAuthChallenge: whether the answer was right. Raises Failed where Define ends the sign-in."""
        right = self.verify(text)
        self.rounds[-1]["challengeResult"] = right
        self._go_on(metadata)
        return right

    def verify(self, text: str) -> bool:
        asked = self.who | {"privateChallengeParameters": self.private, "challengeAnswer": text}
        return bool(trigger("verify", client=self.client, **asked)["answerCorrect"])

    def create(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        return trigger(
            "create", client=self.client, **self.who, session=self.rounds, clientMetadata=dict(metadata) or None
        )

    def _go_on(self, metadata: Mapping[str, str]) -> None:
        defined = trigger("define", client=self.client, **self.who, session=self.rounds)
        if defined["failAuthentication"]:
            raise Failed
        self.has_tokens = defined["issueTokens"]
        if self.has_tokens:
            return
        assert defined["challengeName"] == "CUSTOM_CHALLENGE"
        created = self.create(metadata)
        self.public, self.private = created["publicChallengeParameters"], created["privateChallengeParameters"]
        assert all(isinstance(value, str) for value in (*self.public.values(), *self.private.values()))
        one = {"challengeName": "CUSTOM_CHALLENGE", "challengeMetadata": created["challengeMetadata"]}
        self.rounds.append(one)
