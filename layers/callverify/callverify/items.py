"""Records as DynamoDB items, and back. The store alone uses it, and who reads the table's stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from callverify.models import (
    Attempt,
    Cause,
    Challenge,
    EndReason,
    Evidence,
    Method,
    Mode,
    ProviderName,
    Result,
    Status,
    Step,
    StepKind,
    Verification,
)

Item = dict[str, Any]


def serialized(item: Item) -> dict[str, Any]:
    """An item as DynamoDB writes it. Of its types, those that are used here: no floats, no bytes, no sets."""
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": serialized(dict(value))}
    if isinstance(value, list | tuple):
        return {"L": [_typed(member) for member in value]}
    if value is None:
        return {"NULL": True}
    raise TypeError(f"no type of DynamoDB's for a {type(value).__name__}")


def deserialized(item: Mapping[str, Any]) -> Item:
    return {name: _untyped(value) for name, value in item.items()}


def _untyped(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "M":
            return deserialized(value)
        case "L":
            return [_untyped(member) for member in value]
        case "NULL":
            return None
    raise TypeError(f"no use here for DynamoDB's type {kind}")


def _plain(value: Any) -> Any:
    """A value as it is stored: dataclasses as maps, tuples as lists, absent members left out."""
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Challenge | Attempt | Step):
        return {name: member for name, member in asdict(value).items() if member is not None}
    return dict(value) if isinstance(value, Mapping) else value


def attributes(verification: Verification) -> Item:
    """The record as attributes, without those that are None, with what conditions need on the top level."""
    found = {
        field.name: _plain(value)
        for field in fields(verification)
        if (value := getattr(verification, field.name)) is not None
    }
    return found | {
        "attempt_number": verification.attempt.number,
        "attempt_outcome": verification.attempt.outcome,
        "steps_count": len(verification.steps),
        "step_claimed_at": verification.step.claimed_at,
    }


def difference(before: Verification, after: Verification) -> Item:
    """What has to be written to turn one record into the other; None means to remove."""
    old, new = attributes(before), attributes(after)
    return {name: new.get(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def verification_of(item: Item) -> Verification:
    def whole(name: str) -> int | None:
        return int(item[name]) if name in item else None

    challenge = item.get("challenge")
    return Verification(
        id=item["id"],
        mode=Mode(item["mode"]),
        status=Status(item["status"]),
        method=Method(item["method"]),
        provider=ProviderName(item["provider"]),
        phone_mask=item["phone_mask"],
        phone_hash=item["phone_hash"],
        key_id=item["key_id"],
        created_at=int(item["created_at"]),
        expires_at=int(item["expires_at"]),
        attempts=tuple(_attempt(attempt) for attempt in item["attempts"]),
        steps=tuple(_step(step) for step in item["steps"]),
        allowed_methods=tuple(Method(method) for method in item["allowed_methods"]),
        reason=EndReason(item["reason"]) if "reason" in item else None,
        evidence=Evidence(item["evidence"]) if "evidence" in item else None,
        challenge=_challenge(challenge) if challenge else None,
        call_id=item.get("call_id"),
        answered_at=whole("answered_at"),
        guesses=int(item["guesses"]),
        # Version 1 compared each guess before it answered, and counted only that it was spent.
        wrong_guesses=int(item["wrong_guesses"] if "wrong_guesses" in item else item["guesses"]),
        guess_limit=int(item["guess_limit"]),
        repeats_remaining=int(item["repeats_remaining"]),
        phone_mismatches=int(item["phone_mismatches"]),
        poll_after=int(item["poll_after"]),
        webhook_call_id=item.get("webhook_call_id"),
        verified_at=whole("verified_at"),
        ended_at=whole("ended_at"),
        reference=item.get("reference"),
        metadata=item.get("metadata", {}),
        locale=item.get("locale"),
        return_url=item.get("return_url"),
        address_hash=item.get("address_hash"),
        ttl=whole("ttl"),
        address_block_hash=item.get("address_block_hash"),
    )


def verification_of_image(image: Mapping[str, Any] | None) -> Verification | None:
    """The verification in an image of the table's stream; None for no image, and for any other item's."""
    if not image or not image["pk"]["S"].startswith("verification#"):
        return None
    return verification_of(deserialized(image))


def _attempt(item: Item) -> Attempt:
    return Attempt(
        number=int(item["number"]),
        step=int(item["step"]),
        method=Method(item["method"]),
        provider=ProviderName(item["provider"]),
        outcome=Result(item["outcome"]),
        at=int(item["at"]),
        reason=Cause(item["reason"]) if "reason" in item else None,
    )


def _step(item: Item) -> Step:
    return Step(
        number=int(item["number"]),
        kind=StepKind(item["kind"]),
        claimed_at=int(item["claimed_at"]),
        done=bool(item["done"]),
        error=item.get("error"),
        call_id=item.get("call_id"),
    )


def _challenge(item: Item) -> Challenge:
    length = item.get("length")
    return Challenge(item["type"], int(length) if length is not None else None, item.get("number"))
