"""What an attacker who knows a vendor's reports can write: see `vendors/<name>/forgeries.py`, one for each webhook."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

Pairs = list[tuple[str, str]]


class Forger:
    """Of one vendor, under its part of `provider-credentials`.

    Phones are E.164, times epoch seconds, and call ids are the vendor's, "" where it has none.
    lies: by name, what the vendor answers to a question about the call of an id instead of that the phone has called;
    none of them may verify anybody. believed_after_report: the one of them that counts once the verification's own
    webhook came. tampered: by name, reports that bear a good signature and say something else than that a phone called.
    """

    lies: ClassVar[Mapping[str, Callable[[str, str], bytes]]] = {}
    believed_after_report: ClassVar[str | None] = None

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        self.credentials = credentials
        self.tampered: Mapping[str, Callable[[random.Random, str, int], Pairs]] = {}

    def report(self, phone: str, call_id: str, at: int) -> Pairs:
        """The vendor's own report that this phone has called."""
        raise NotImplementedError

    def called(self, phone: str, call_id: str) -> bytes:
        """The vendor's answer to a question about the call, once the phone has called."""
        raise NotImplementedError

    def values(self, chance: random.Random, phone: str, call_id: str, at: int) -> Mapping[str, Sequence[str]]:
        """For each field of a report, what may be tried there without its secret."""
        raise NotImplementedError

    def unsigned(self, phone: str, at: int, known: Sequence[str]) -> Sequence[Pairs]:
        """Reports signed with what the attacker knows instead of the secret, `known` among it."""
        raise NotImplementedError


@cache
def _forger(name: str) -> type[Forger]:
    found: type[Forger] = import_module(f"vendors.{name}.forgeries").Forger
    return found


def forger(name: str, credentials: Mapping[str, Any]) -> Forger:
    return _forger(name)(credentials)
