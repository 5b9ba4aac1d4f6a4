"""Forged reports of SMSC, whose signature is md5(phone:ts:secret)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support import forgeries
from tests.support.forgeries import Pairs


class Forger(forgeries.Forger):
    def __init__(self, credentials: Mapping[str, Any]) -> None:
        super().__init__(credentials)
        self._secret = str(credentials["callback_secret"])
        self.tampered = {
            "signed with waitcall=0": self._other_kinds,
            "the signature of an SMS status": self._sms_status,
        }

    def report(self, phone: str, call_id: str, at: int) -> Pairs:  # noqa: ARG002
        digits = phone.removeprefix("+")
        return _signed(digits, str(at), f"{digits}:{at}:{self._secret}")

    def values(self, chance: random.Random, phone: str, call_id: str, at: int) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        digits = phone[1:]
        return {
            "waitcall": ["1", "1", "true", ""],
            "phone": [digits, phone, f"8{digits[1:]}", "", f"1:{digits}"],
            "ts": [str(at), "0", "-1", "", "1e9", "١٢٣", str(10**15), f" {at}"],
            "md5": ["", "0" * 32, f"{chance.getrandbits(128):032x}", "md5", "е" * 32],
        }

    def unsigned(self, phone: str, at: int, known: Sequence[str]) -> Sequence[Pairs]:
        digits = phone[1:]
        texts = [
            f"{digits}:{at}",
            f"{digits}:{at}:",
            f"{digits}{at}{self._secret[:-1]}",
            f"{digits}:{at}:{self._secret.upper()}",
            *(f"{digits}:{at}:{text}" for text in known),
        ]
        return [_signed(digits, str(at), text) for text in texts]

    def _other_kinds(self, chance: random.Random, phone: str, at: int) -> Pairs:
        waitcall = chance.choice(["0", "01", "1.0", "true", "1 ", "-1", "2"])
        return [(name, waitcall if name == "waitcall" else value) for name, value in self.report(phone, "", at)]

    def _sms_status(self, chance: random.Random, phone: str, at: int) -> Pairs:
        """md5(id:phone:status:secret), which the same secret signs: can it be read as md5(phone:ts:secret)?"""
        digits, message, status = phone[1:], str(chance.randrange(10**6)), str(at)
        readings = [(f"{message}:{digits}", status), (digits, status), (message, f"{digits}:{status}")]
        given, ts = chance.choice(readings)
        return _signed(given, ts, f"{message}:{digits}:{status}:{self._secret}")


def _signed(phone: str, ts: str, text: str) -> Pairs:
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return [("waitcall", "1"), ("phone", phone), ("ts", ts), ("md5", md5)]
