"""The triggers of a user pool: who may sign up, and a sign-in by a call.

Each takes Cognito's event and returns it with its response filled in. A refusal is an exception whose message Cognito
tells the client: one short word, and the seconds after which a retry is of use where they are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from callverify import aws
from callverify.domain import errors
from callverify.domain.value import value
from callverify.domain.view import timestamp
from callverify.domain.words import Caller, CallerKind, Deadline, Method, Mode, Scope
from callverify.edge.cognito import session
from callverify.edge.cognito.account import Accounts, is_proven
from callverify.events.telemetry import Telemetry
from callverify.service.policy import COGNITO_KEY_ID
from callverify.service.proof import Claimed
from callverify.service.requests import on_their_own
from callverify.service.service import Service
from callverify.service.started import Started

Event = dict[str, Any]

# Cognito waits for 5 s, then asks again, twice (docs.aws.amazon.com, 2026-11). What it did not wait for, the next call
# finds under the same Idempotency-Key.
TRIGGER_SECONDS = 4.0

# What somebody who signs up may say of themselves. `sub` is Cognito's own.
SIGN_UP_ATTRIBUTES = frozenset({"phone_number", "name", "locale", "sub"})
CALLER = Caller(CallerKind.API_KEY, key_id=COGNITO_KEY_ID, mode=Mode.LIVE, scopes=frozenset(Scope))
UNAVAILABLE, PHONE_NOT_ALLOWED = "UNAVAILABLE", "PHONE_NOT_ALLOWED"
WORDS = {
    "rate_limited": "LIMITED",
    "verification_in_progress": "IN_PROGRESS",
    "idempotency_in_progress": "IN_PROGRESS",
    "invalid_phone": PHONE_NOT_ALLOWED,
    "country_not_allowed": PHONE_NOT_ALLOWED,
    "phone_blocked": PHONE_NOT_ALLOWED,
    "provider_rejected": PHONE_NOT_ALLOWED,
    "invalid_request": "INVALID_PARAMETERS",
}


class Refused(Exception):
    """What Cognito tells the client: `CreateAuthChallenge failed with error LIMITED 37.`"""


@value
class SignIn:
    """Who signs in, as the event of a trigger says."""

    pool_id: str
    client_id: str
    username: str
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> SignIn:
        attributes = event["request"].get("userAttributes") or {}
        return cls(event["userPoolId"], event["callerContext"]["clientId"], event["userName"], attributes)

    @property
    def phone(self) -> str:
        """Raises Refused for an account without one."""
        if phone := self.attributes.get("phone_number"):
            return phone
        raise Refused(PHONE_NOT_ALLOWED)

    @property
    def claimed(self) -> Claimed:
        metadata = {"user_pool_id": self.pool_id, "client_id": self.client_id}
        return Claimed(self.phone, self.attributes["sub"], metadata)


class Triggers:
    """The triggers of the pool `pool_id`; any other pool is refused. base_url: what links to the API begin with."""

    def __init__(
        self,
        *,
        service: Callable[[], Service],
        accounts: Accounts,
        telemetry: Telemetry,
        pool_id: str,
        base_url: str,
    ) -> None:
        self._service = service
        self._accounts = accounts
        self._telemetry = telemetry
        self._pool_id = pool_id
        self._base_url = base_url

    def handle(self, event: Event, request_id: str) -> Event:
        """Answer any of the four. Raises Refused."""
        deadline = Deadline.after(TRIGGER_SECONDS)
        kind = str(event.get("triggerSource", "")).partition("_")[0]
        answers = {
            "PreSignUp": self._sign_up,
            "DefineAuthChallenge": lambda event: session.define(event["request"]),
            "CreateAuthChallenge": lambda event: self._create(event, deadline),
            "VerifyAuthChallengeResponse": self._verify,
        }
        with self._telemetry.line(f"Cognito {kind}", request_id=request_id):
            try:
                self._require_pool(event)
                return {**event, "response": {**(event.get("response") or {}), **answers[kind](event)}}
            except Exception as error:
                raise self._refusal(error) from None

    def _require_pool(self, event: Event) -> None:
        if not self._pool_id or event.get("userPoolId") != self._pool_id:
            fault = errors.ConfigurationFault("CognitoUserPoolArn", "another user pool uses this stack's triggers")
            self._telemetry.configuration_fault(fault)
            raise Refused(UNAVAILABLE)

    def _refusal(self, error: Exception) -> Refused:
        """What the client is told of an error; the operator is told here."""
        word, told = UNAVAILABLE, self._telemetry
        if isinstance(error, Refused):
            word = str(error)
        elif isinstance(error, errors.Busy) or aws.is_busy(error):
            told.busy(error)
        elif isinstance(error, errors.CallverifyError):
            word = WORDS.get(error.code, UNAVAILABLE)
            if error.limit:
                told.count("LimitsReached", limit=error.limit)
        else:
            told.unexpected(error)
        told.add(error=getattr(error, "code", word))
        wait = getattr(error, "retry_after", None)
        return Refused(f"{word} {wait}" if wait else word)

    # Signing up

    def _sign_up(self, event: Event) -> dict[str, Any]:
        """Let anybody in whose phone could be verified. What they say of it is not believed before it is proven."""
        if event["triggerSource"] == "PreSignUp_AdminCreateUser":  # the operator's own word
            return {}
        attributes = event["request"].get("userAttributes") or {}
        if attributes.keys() - SIGN_UP_ATTRIBUTES:
            raise Refused("ATTRIBUTE_NOT_ALLOWED")
        written = attributes.get("phone_number", "")
        if self._service().judge_phone(CALLER, written).e164 != written:
            raise Refused(PHONE_NOT_ALLOWED)
        return {"autoConfirmUser": True, "autoVerifyPhone": False, "autoVerifyEmail": False}

    # A round

    def _create(self, event: Event, deadline: Deadline) -> dict[str, Any]:
        request = event["request"]
        rounds = request.get("session") or ()
        if not rounds:
            asked = {"challenge": session.PARAMETERS}
            return _challenge(asked, asked, session.ask_parameters())
        nonce = session.nonce_of(rounds)
        if nonce is None:
            raise Refused(UNAVAILABLE)
        known = session.verification_of(rounds)
        service = self._service()
        if request.get("userNotFound"):
            started = service.decoy(known, base_url=self._base_url)
        elif known:
            started = service.started(CALLER, known, base_url=self._base_url)
        else:
            started = self._start(SignIn.of(event), nonce, request.get("clientMetadata") or {}, deadline)
        verification_id = started.verification.id
        private = {"verification_id": verification_id, "nonce": nonce}
        return _challenge(_public(started), private, session.metadata_of(verification_id))

    def _start(self, who: SignIn, nonce: str, wanted: Mapping[str, str], deadline: Deadline) -> Started:
        """A verification of the account's phone. The first proof is a reverse call: it costs nothing."""
        method, methods = wanted.get("method") or None, [*on_their_own(Method)]
        if not is_proven(who.attributes):
            method, methods = Method.REVERSE_CALL, [Method.REVERSE_CALL]
        elif method in set(Method) - set(methods):
            methods.append(Method(method))
        claimed = who.claimed
        fields = {
            "phone": claimed.phone,
            "method": method,
            "allowed_methods": methods,
            "reference": claimed.reference,
            "metadata": dict(claimed.metadata),
            "locale": wanted.get("locale") or None,
        }
        return self._service().start(
            CALLER,
            json.dumps(fields),
            idempotency_key=nonce,
            base_url=self._base_url,
            deadline=deadline,
        )

    # An answer

    def _verify(self, event: Event) -> dict[str, Any]:
        request = event["request"]
        private = request.get("privateChallengeParameters") or {}
        if private.get("challenge") == session.PARAMETERS:
            return {"answerCorrect": True}
        right = not request.get("userNotFound") and self._proves(event, private, request.get("challengeAnswer"))
        return {"answerCorrect": bool(right)}

    def _proves(self, event: Event, private: Mapping[str, str], answer: object) -> bool:
        """Whether the account's phone is proven by an answer: the verification's id, or the code of a call."""
        verification_id, nonce = private.get("verification_id"), private.get("nonce")
        if not (verification_id and nonce and isinstance(answer, str)):
            return False
        if answer != verification_id and not self._is_code(verification_id, answer, nonce):
            return False
        who = SignIn.of(event)
        if not self._service().use(CALLER, verification_id, who.claimed, by=nonce):
            return False
        if not is_proven(who.attributes):
            self._accounts.give_to_phone(who.username, who.attributes)
        return True

    def _is_code(self, verification_id: str, answer: str, nonce: str) -> bool:
        """Whether it is the code that is waited for. What is no code costs no guess."""
        with suppress(errors.InvalidRequest, errors.MethodHasNoCode):
            try:
                return self._service().check(CALLER, verification_id, json.dumps({"code": answer})).valid
            except errors.VerificationNotPending:
                # Cognito asks again where it has lost our answer: this sign-in's code was right.
                return self._service().used_by(verification_id) == nonce
        return False


def _challenge(public: Mapping[str, str], private: Mapping[str, str], metadata: str) -> dict[str, Any]:
    return {
        "publicChallengeParameters": public,
        "privateChallengeParameters": private,
        "challengeMetadata": metadata,
    }


def _public(started: Started) -> dict[str, str]:
    """What the client is told, all of it text: Cognito takes nothing else."""
    verification = started.verification
    challenge = verification.challenge
    if challenge is None:
        raise Refused("IN_PROGRESS")
    told = {
        "type": challenge.type,
        "verification_id": verification.id,
        "expires_at": timestamp(verification.expires_at),
        "client_token": started.client_token,
        "page_url": started.page_url,
    }
    if challenge.number:
        return told | {"number": challenge.number, "tel_uri": f"tel:{challenge.number}"}
    return told | {"code_length": str(challenge.length)}
