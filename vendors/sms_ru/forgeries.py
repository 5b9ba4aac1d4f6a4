"""Forged reports of SMS.RU, whose hash is sha256(api_id + entries), and answers to its check that may verify nobody.

Such a hash can be lengthened: an attacker who has seen one report knows the state of SHA-256 after it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlencode

from tests.support import forgeries
from tests.support.forgeries import Pairs

ANOTHER_CALL = "201737-1"
BOUNDARY = "------------------------d74496d66958873e"


class Forger(forgeries.Forger):
    lies: ClassVar[Mapping[str, Callable[[str, str], bytes]]] = {
        "pending": lambda *_: _check("400"),
        "expired": lambda *_: _check("402"),
        "pending, names the phone": lambda phone, id_: _check("400", phone=phone, caller=phone, check_id=id_),
        "no status": lambda *_: _check(None),
        "status is a list": lambda *_: _check(["401"]),
        "status is true": lambda *_: _check(True),
        "status in words": lambda *_: _check("confirmed 401"),
        "an error": lambda *_: _check("401", status="ERROR"),
        "another code": lambda *_: _check("401", status_code=200),
        "two statuses": lambda *_: b'{"status":"OK","status_code":100,"check_status":"400","check_status":"401"}',
    }

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        super().__init__(credentials)
        self._api_id = str(credentials["api_id"])
        self.tampered = {name: self._forged(name) for name in FORGED}

    def report(self, phone: str, call_id: str, at: int) -> Pairs:  # noqa: ARG002
        return self.signed([entry(call_id, at)])

    def called(self, phone: str, call_id: str) -> bytes:  # noqa: ARG002
        return _check("401")

    def values(self, chance: random.Random, phone: str, call_id: str, at: int) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        good = entry(call_id, at)
        return {
            "data[0]": [good, good, good.replace("\n", "\r\n"), f"{good}\n", good.replace("401", "٤٠١"), ""],
            "hash": ["", "0" * 64, f"{chance.getrandbits(256):064x}", "sha256", "е" * 64, sha256(good)],
        }

    def unsigned(self, phone: str, at: int, known: Sequence[str]) -> Sequence[Pairs]:  # noqa: ARG002
        good = entry(ANOTHER_CALL, at)
        texts = [good, self._api_id.lower() + good, good + self._api_id, *(text + good for text in known)]
        return [[("data[0]", good), ("hash", sha256(text))] for text in texts]

    def signed(self, entries: Sequence[str]) -> Pairs:
        """The vendor's own report of these entries."""
        return [*_named(entries), ("hash", sha256(self._api_id + "".join(entries)))]

    def _forged(self, name: str) -> Callable[[random.Random, str, int], Pairs]:
        return lambda _, phone, at: FORGED[name](self, entry(ANOTHER_CALL, at), entry("201737-2", at))  # noqa: ARG005


def entry(check_id: str, at: int, status: str = "401") -> str:
    return f"callcheck_status\n{check_id}\n{status}\n{at}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _named(entries: Sequence[str]) -> Pairs:
    return [(f"data[{place}]", text) for place, text in enumerate(entries)]


# Forgeries: of a report that the attacker saw, and the entry that they want to be heard


def _another_hash(forger: Forger, seen: str, wanted: str) -> Pairs:  # noqa: ARG001
    return [*_named([wanted]), ("hash", "0" * 64)]


def _another_call(forger: Forger, seen: str, wanted: str) -> Pairs:
    """The hash of the report that was seen, above another entry."""
    return [*_named([wanted]), forger.signed([seen])[-1]]


def _reordered(forger: Forger, seen: str, wanted: str) -> Pairs:
    return [*_named([wanted, seen]), forger.signed([seen, wanted])[-1]]


def _one_more(forger: Forger, seen: str, wanted: str) -> Pairs:
    return [*_named([seen, wanted]), forger.signed([seen])[-1]]


def _lengthened(forger: Forger, seen: str, wanted: str) -> Pairs:
    """In one entry: what was seen, SHA-256's own padding, and the entry that is wanted."""
    padding, longer = lengthen(forger.signed([seen])[-1][1], len(forger._api_id + seen), wanted)
    return [("data[0]", seen + padding + wanted), ("hash", longer)]


def _lengthened_apart(forger: Forger, seen: str, wanted: str) -> Pairs:
    """In three entries, so that the last one is as the vendor would write it."""
    padding, longer = lengthen(forger.signed([seen])[-1][1], len(forger._api_id + seen), wanted)
    return [*_named([seen, padding, wanted]), ("hash", longer)]


FORGED: Mapping[str, Callable[[Forger, str, str], Pairs]] = {
    "a wrong hash": _another_hash,
    "another call under a good hash": _another_call,
    "reordered": _reordered,
    "an entry more": _one_more,
    "lengthened by SHA's padding": _lengthened,
    "lengthened, in entries of their own": _lengthened_apart,
}


# How a report may be written: body and Content-Type


def as_form(report: Pairs) -> tuple[str, str]:
    return urlencode(report), "application/x-www-form-urlencoded"


def as_raw_form(report: Pairs) -> tuple[str, str]:
    """Each character as one byte, as who forges bytes would write it."""
    return urlencode(report, encoding="latin-1"), "application/x-www-form-urlencoded"


def as_multipart(report: Pairs) -> tuple[str, str]:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in report
    ]
    return f"{''.join(parts)}--{BOUNDARY}--\r\n", f"multipart/form-data; boundary={BOUNDARY}"


def as_json(report: Pairs) -> tuple[str, str]:
    members = ", ".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in report)
    return f"{{{members}}}", "application/json"


WRITTEN: Mapping[str, Callable[[Pairs], tuple[str, str]]] = {
    "form": as_form,
    "form of bytes": as_raw_form,
    "multipart": as_multipart,
    "JSON": as_json,
}


def _check(check_status: object, **changed: object) -> bytes:
    body: dict[str, object] = {"status": "OK", "status_code": 100, "check_status": check_status}
    return json.dumps({name: value for name, value in (body | changed).items() if value is not None}).encode()


# SHA-256 that goes on from a hash (FIPS 180-4), since hashlib's can't be given where to begin


def lengthen(known: str, length: int, suffix: str) -> tuple[str, str]:
    """What stands between a text of `length` bytes and `suffix`, and the hash of the whole, from the text's alone.

    Each character of the padding stands for one byte.
    """
    padding = _padding(length)
    state = [int(known[place : place + 8], 16) for place in range(0, 64, 8)]
    whole = length + len(padding) + len(suffix)
    rest = suffix.encode() + _padding(whole)
    for place in range(0, len(rest), 64):
        state = _compressed(state, rest[place : place + 64])
    return padding.decode("latin-1"), "".join(f"{word:08x}" for word in state)


def _padding(length: int) -> bytes:
    return b"\x80" + bytes((55 - length) % 64) + (8 * length).to_bytes(8, "big")


def _compressed(state: list[int], block: bytes) -> list[int]:
    words = [int.from_bytes(block[place : place + 4], "big") for place in range(0, 64, 4)]
    for at in range(16, 64):
        early, late = words[at - 15], words[at - 2]
        first = _turned(early, 7) ^ _turned(early, 18) ^ early >> 3
        second = _turned(late, 17) ^ _turned(late, 19) ^ late >> 10
        words.append((words[at - 16] + first + words[at - 7] + second) % 2**32)
    a, b, c, d, e, f, g, h = state
    for word, constant in zip(words, _constants(), strict=True):
        mixed = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
        first = h + mixed + (e & f ^ ~e & g) + constant + word
        second = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (first + second) % 2**32, a, b, c, (d + first) % 2**32, e, f, g
    return [(old + new) % 2**32 for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def _turned(word: int, bits: int) -> int:
    return (word >> bits | word << 32 - bits) % 2**32


@cache
def _constants() -> tuple[int, ...]:
    """The first 32 bits of the fractional parts of the cube roots of the first 64 primes."""
    primes = [number for number in range(2, 312) if all(number % by for by in range(2, number))]
    return tuple(_cube_root(prime << 96) % 2**32 for prime in primes)


def _cube_root(number: int) -> int:
    """The whole part of it."""
    root = int(float(number) ** (1 / 3))
    while root**3 > number:
        root -= 1
    while (root + 1) ** 3 <= number:
        root += 1
    return root
