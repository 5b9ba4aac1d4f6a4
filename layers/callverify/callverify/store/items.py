"""Items of the table, and records as items and back: of this version, of those before it, and of the next one.

A record is read leniently, since versions overlap during a deployment, a rollback and after a restore: a member that is
missing has a default, and no word is refused. One that is unknown stays as it is and equals none that is known: such a
record can be read, published and left to end, and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from enum import StrEnum
from functools import cache
from typing import Any, cast

from callverify.domain.erasure import ERASED, Erased
from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Verification
from callverify.domain.words import Challenge, EndReason, Evidence, Method, Mode, Outcome, Reason, Status

VERSION = 2
# Version 1's spelling is written until no stack runs it any more, so that one that is rolled back to can read on:
# decision 60.
_WRITTEN: Mapping[StrEnum, str] = {
    StepKind.SWITCH: "another_way",
    EndReason.CHECKS_EXHAUSTED: "attempts_exhausted",
}
_READ: Mapping[str, StrEnum] = {text: word for word, text in _WRITTEN.items()}
# What version 1 can't read a record without, and nothing uses any more.
_FOR_VERSION_1 = {"block_hash": "-", "poll_after": 0}

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
        return {name: _plain(member) for name, member in asdict(value).items() if member is not None}
    if isinstance(value, StrEnum):
        return _WRITTEN.get(value, value)
    return dict(value) if isinstance(value, Mapping) else value


def attributes(verification: Verification) -> Item:
    """The record as attributes, without what is None or empty metadata, with what conditions need on the top level.

    A member too many costs: from 1 KB on, each write of a record takes twice as many units.
    """
    found = {
        field.name: _plain(value)
        for field in fields(verification)
        if (value := getattr(verification, field.name)) not in (None, {})
    }
    return found | {
        "v": VERSION,
        "attempt_number": verification.attempt.number,
        "attempt_outcome": verification.attempt.outcome,
        "steps_count": len(verification.steps),
        "step_claimed_at": verification.step.claimed_at,
        **_FOR_VERSION_1,
    }


def difference(before: Verification, after: Verification) -> Item:
    """What has to be written to turn one record into the other; None means to remove."""
    old, new = attributes(before), attributes(after)
    return {name: new.get(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def verification_of(item: Item) -> Verification | None:
    """The record in an item, whichever version wrote it; None where it names no verification."""
    if not isinstance(item.get("id"), str):
        return None
    try:
        return _verification(item)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _verification(item: Item) -> Verification:
    item = {name: value for name, value in item.items() if value is not None}
    at, method, provider = item.get("created_at", 0), item.get("method", ""), item.get("provider", "")
    first = {"number": 1, "step": 1, "method": method, "provider": provider, "outcome": Outcome.UNKNOWN, "at": at}
    attempts = item.get("attempts") or [first]
    steps = item.get("steps") or [{"number": 1, "kind": StepKind.START, "claimed_at": at, "done": True}]
    given: Item = {
        "mode": Mode.TEST if item["id"].startswith("vrf_test_") else Mode.LIVE,
        "status": "",
        "method": method,
        "provider": provider,
        "phone_mask": "",
        "phone_hash": "",
        "key_id": "",
        "created_at": at,
        "expires_at": 0,
        # Version 1 compared each guess before it answered, and counted only that it was spent.
        "wrong": item.get("guesses", 0),
        **item,
        "attempts": tuple(_read(Attempt, {**first, **attempt}) for attempt in attempts),
        "steps": tuple(
            _read(Step, {"number": 1, "kind": StepKind.START, "claimed_at": 0, "done": True, **step}) for step in steps
        ),
        "checks": tuple(item["checks"]) if "checks" in item else None,
        "earlier_reports": tuple(item["earlier_reports"]) if "earlier_reports" in item else None,
        "allowed_methods": tuple(_word(Method, each) for each in item.get("allowed_methods", [method])),
    }
    if given.get("challenge"):
        given["challenge"] = _read(Challenge, {"type": "", **given["challenge"]})
    return _read(Verification, given)


def erasure_of_image(image: Mapping[str, Any] | None) -> Erased | None:
    """The tombstone in an image of the table's stream."""
    if not image or not image["pk"]["S"].startswith("verification#") or image.get("status") != {"S": ERASED}:
        return None
    item = deserialized(image)
    verification_id = item["pk"].removeprefix("verification#")
    return Erased(verification_id, Mode(item["mode"]), item["erased_at"], item["erased_by"])


def verification_of_image(image: Mapping[str, Any] | None) -> Verification | None:
    """The verification in an image of the table's stream; None for no image, and for any other item's.

    Raises ValueError for a record that can't be read.
    """
    if not image or not image["pk"]["S"].startswith("verification#"):
        return None
    found = verification_of(deserialized(image))
    if found is None:
        raise ValueError("a verification's record that can't be read")
    return found


# The words by the name of the member that holds them.
_WORDS: Mapping[str, type[StrEnum]] = {
    "mode": Mode,
    "status": Status,
    "method": Method,
    "kind": StepKind,
    "outcome": Outcome,
    "evidence": Evidence,
}


@cache
def _members(kind: Any) -> list[tuple[str, bool]]:
    """Each member's name, and whether it has to be there."""
    return [(field.name, field.default is MISSING and field.default_factory is MISSING) for field in fields(kind)]


def _read[T](kind: type[T], item: Item) -> T:
    """A dataclass from its members as stored, unknown ones left out. Raises KeyError where one is missing."""
    given = {}
    for name, needed in _members(cast("Any", kind)):
        if needed or item.get(name) is not None:
            words = (EndReason if kind is Verification else Reason) if name == "reason" else _WORDS.get(name)
            given[name] = _word(words, item[name]) if words else item[name]
    return kind(**given)


def _word[Word: StrEnum](words: type[Word], text: Any) -> Word:
    """The word, or for one that this version doesn't know a member that equals none of its own."""
    known = _READ.get(text, text)
    try:
        return words(known)
    except ValueError:
        unknown = str.__new__(words, str(known))
        unknown._name_ = unknown._value_ = str(known)
        return unknown
