"""Records as DynamoDB items, and back. The store alone uses it, and who reads the table's stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import StrEnum
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
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "M":
            return deserialized(value)
        case "L":
            return [_untyped(member) for member in value]
        case "NULL":
            return None
    return value  # of a type that nothing here writes, in a member that nothing here reads


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
    """The record of an item, whichever version wrote it: what is missing has a default, and no word is refused.

    A word that this version doesn't know stays as it is, and equals none that it does: such a record can be read,
    published and left to end, and nothing more.
    """
    item = {name: value for name, value in item.items() if value is not None}

    def text(name: str) -> str:
        return str(item.get(name, ""))

    def whole(name: str, default: int = 0) -> int:
        return int(item.get(name, default))

    def moment(name: str) -> int | None:
        return int(item[name]) if name in item else None

    method, provider, created_at = _word(Method, item.get("method")), text("provider"), whole("created_at")
    first = {"method": method, "provider": provider, "at": created_at}
    challenge = item.get("challenge")
    return Verification(
        id=item["id"],
        mode=_word(Mode, item.get("mode", Mode.TEST if item["id"].startswith("vrf_test_") else Mode.LIVE)),
        status=_word(Status, item.get("status")),
        method=method,
        provider=_word(ProviderName, provider),
        phone_mask=text("phone_mask"),
        phone_hash=text("phone_hash"),
        key_id=text("key_id"),
        created_at=created_at,
        expires_at=whole("expires_at"),
        attempts=tuple(_attempt(attempt) for attempt in item.get("attempts") or [first]),
        steps=tuple(_step(step) for step in item.get("steps") or [{"claimed_at": created_at, "done": True}]),
        allowed_methods=tuple(_word(Method, each) for each in item.get("allowed_methods", [method])),
        reason=_word(EndReason, item["reason"]) if "reason" in item else None,
        evidence=_word(Evidence, item["evidence"]) if "evidence" in item else None,
        challenge=_challenge(challenge) if challenge else None,
        call_id=item.get("call_id"),
        answered_at=moment("answered_at"),
        guesses=whole("guesses"),
        # Version 1 compared each guess before it answered, and counted only that it was spent.
        wrong_guesses=whole("wrong_guesses", whole("guesses")),
        guess_limit=whole("guess_limit", 5),
        repeats_remaining=whole("repeats_remaining"),
        phone_mismatches=whole("phone_mismatches"),
        poll_after=whole("poll_after"),
        webhook_call_id=item.get("webhook_call_id"),
        verified_at=moment("verified_at"),
        ended_at=moment("ended_at"),
        reference=item.get("reference"),
        metadata=item.get("metadata", {}),
        locale=item.get("locale"),
        return_url=item.get("return_url"),
        address_hash=item.get("address_hash"),
        ttl=moment("ttl"),
        address_block_hash=item.get("address_block_hash"),
    )


def _word[E: StrEnum](words: type[E], text: Any) -> E:
    """The member of an enum, or for a word that it doesn't have one that equals none of its own."""
    try:
        return words(text)
    except ValueError:
        unknown = str.__new__(words, "" if text is None else str(text))
        unknown._name_ = unknown._value_ = str(unknown)
        return unknown


def verification_of_image(image: Mapping[str, Any] | None) -> Verification | None:
    """The verification in an image of the table's stream; None for no image, and for any other item's."""
    if not image or not image["pk"]["S"].startswith("verification#"):
        return None
    return verification_of(deserialized(image))


def _attempt(item: Item) -> Attempt:
    return Attempt(
        number=int(item.get("number", 1)),
        step=int(item.get("step", 1)),
        method=_word(Method, item.get("method")),
        provider=_word(ProviderName, item.get("provider")),
        outcome=_word(Result, item.get("outcome", Result.UNKNOWN)),
        at=int(item.get("at", 0)),
        reason=_word(Cause, item["reason"]) if "reason" in item else None,
    )


def _step(item: Item) -> Step:
    return Step(
        number=int(item.get("number", 1)),
        kind=_word(StepKind, item.get("kind", StepKind.START)),
        claimed_at=int(item.get("claimed_at", 0)),
        done=bool(item.get("done", True)),
        error=item.get("error"),
        call_id=item.get("call_id"),
    )


def _challenge(item: Item) -> Challenge:
    length = item.get("length")
    return Challenge(str(item.get("type", "")), int(length) if length is not None else None, item.get("number"))
