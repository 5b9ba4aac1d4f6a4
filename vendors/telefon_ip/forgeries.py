"""Forged reports of telefon-ip.ru, which signs nothing, and answers to its check that may verify nobody."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from tests.support import forgeries
from tests.support.forgeries import Pairs

STRANGER = "89000009999"


class Forger(forgeries.Forger):
    lies: ClassVar[Mapping[str, Callable[[str, str], bytes]]] = {
        "echo, pending": lambda phone, id_: _check(_national(phone), id_, status="pending"),
        "echo, no status": lambda phone, id_: _check(_national(phone), id_),
        "wrong caller": lambda _, id_: _check(STRANGER, id_, status="ok"),
        "other id": lambda phone, id_: _check(_national(phone), str(int(id_) + 1), status="ok"),
        "expired": lambda phone, id_: _check(_national(phone), id_, status="expired"),
        "status is a list": lambda phone, id_: _check(_national(phone), id_, status=["ok"]),
        "phone is a list": lambda phone, id_: _check([_national(phone)], id_, status="ok"),
        "two phones": lambda phone, id_: _two_phones(_national(phone), id_),
        "no success": lambda phone, id_: _check(_national(phone), id_, status="ok", success="true"),
    }
    # A vendor that leaves out the status is believed after the verification's own webhook: its token is kept.
    believed_after_report = "echo, no status"

    def report(self, phone: str, call_id: str, at: int) -> Pairs:  # noqa: ARG002
        return [("success", "True"), ("phone", _national(phone)), ("id", call_id)]

    def called(self, phone: str, call_id: str) -> bytes:
        return _check(_national(phone), call_id, status="ok")

    def values(self, chance: random.Random, phone: str, call_id: str, at: int) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        return {
            "success": ["True", "true", "TRUE", "1", "False", "", "True "],
            "phone": [_national(phone), phone, phone[1:], "", STRANGER, "0"],
            "id": [call_id, f"{call_id:>09}", "-1", "1e5", "9" * 40, "0x10", "22760.0"],
        }


def _national(phone: str) -> str:
    return f"8{phone[2:]}"


def _check(phone: object, call_id: str, *, status: object = None, success: object = True) -> bytes:
    data: dict[str, object] = {"phone": phone, "id": int(call_id)}
    return json.dumps({"success": success, "data": data | ({"status": status} if status else {})}).encode()


def _two_phones(phone: str, call_id: str) -> bytes:
    """A body whose meaning hangs on the parser: which of the two counts?"""
    return f'{{"success":true,"data":{{"phone":"{STRANGER}","phone":"{phone}","id":{call_id},"status":"ok"}}}}'.encode()
