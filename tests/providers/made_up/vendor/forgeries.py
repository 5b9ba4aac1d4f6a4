"""Forged reports of Ringbell, which signs nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence

from tests.support import forgeries
from tests.support.forgeries import Pairs


class Forger(forgeries.Forger):
    def report(self, phone: str, call_id: str, at: int) -> Pairs:  # noqa: ARG002
        return [("call", call_id), ("caller", phone.removeprefix("+"))]

    def called(self, phone: str, call_id: str) -> bytes:
        return json.dumps({"call": int(call_id), "state": "called", "caller": phone.removeprefix("+")}).encode()

    def values(self, chance: random.Random, phone: str, call_id: str, at: int) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        return {"call": [call_id, "-1", ""], "caller": [phone, "0", ""]}
