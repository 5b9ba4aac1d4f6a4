"""A custom sign-in as the pool tells it, round by round, and what comes next. No I/O: the session alone decides.

Round 1 asks for parameters, because ClientMetadata reaches no trigger before the first answer. It carries a nonce of
ours: no trigger is told which session it runs in, and what a client picks can be constant, which would join two
sessions in one verification (decision 129). Every later round carries the verification's id.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from callverify.service.context import is_id

CUSTOM_CHALLENGE = "CUSTOM_CHALLENGE"
PARAMETERS = "PROVIDE_PARAMETERS"
MOST_ANSWERS = 3
_NONCE, _PROOF = f"{PARAMETERS}:", "cv:"
_NONCE_DIGITS = 32  # 128 bits

Round = Mapping[str, Any]


def ask_parameters() -> str:
    """The metadata of round 1, with a new nonce."""
    return _NONCE + secrets.token_hex(_NONCE_DIGITS // 2)


def metadata_of(verification_id: str) -> str:
    """The metadata of a round that asks for this verification."""
    return _PROOF + verification_id


def nonce_of(session: Sequence[Round]) -> str | None:
    """What tells this sign-in from all others; None where round 1 was not ours."""
    first = _metadata(session[0]) if session else ""
    nonce = first.removeprefix(_NONCE)
    well_formed = len(nonce) == _NONCE_DIGITS and set(nonce) <= set("0123456789abcdef")
    return nonce if first.startswith(_NONCE) and well_formed else None


def verification_of(session: Sequence[Round]) -> str | None:
    """The verification that the first answer was asked for; None before there is one."""
    return _proof(session[1]) if len(session) > 1 else None


def define(request: Mapping[str, Any]) -> dict[str, Any]:
    """The response of DefineAuthChallenge: tokens, another round, or the end."""
    session: Sequence[Round] = request.get("session") or ()
    if not session:
        return _next()
    if nonce_of(session) is None or any(each.get("challengeName") != CUSTOM_CHALLENGE for each in session):
        return _fail()
    first, *answers = session
    if first.get("challengeResult") is not True:
        return _fail()
    if answers and answers[-1].get("challengeResult") is True:
        proofs = {_proof(each) for each in answers}
        proven = len(proofs) == 1 and None not in proofs and not request.get("userNotFound")
        return _issue() if proven else _fail()
    return _next() if len(answers) < MOST_ANSWERS else _fail()


def _metadata(one: Round) -> str:
    return str(one.get("challengeMetadata") or "")


def _proof(one: Round) -> str | None:
    text = _metadata(one)
    verification_id = text.removeprefix(_PROOF)
    return verification_id if text.startswith(_PROOF) and is_id(verification_id) else None


def _next() -> dict[str, Any]:
    return {"challengeName": CUSTOM_CHALLENGE, "issueTokens": False, "failAuthentication": False}


def _issue() -> dict[str, Any]:
    return {"challengeName": None, "issueTokens": True, "failAuthentication": False}


def _fail() -> dict[str, Any]:
    return {"challengeName": None, "issueTokens": False, "failAuthentication": True}
