"""What the service asked the vendors: for counting paid calls."""

import threading
from dataclasses import dataclass


@dataclass
class Record:
    """One request to a vendor.

    `paid`: this request caused a new call, or issued a new number to call. Free ones and the vendors' free test numbers
    count too, since counting is about what the service did. `answer` is None until there is one.
    """

    provider: str
    method: str
    path: str
    action: str
    at: str
    phone: str | None = None
    unique: str | None = None
    paid: bool = False
    answer: int | str | None = None

    def describe(self) -> dict[str, object]:
        described = dict(vars(self))
        if self.unique is None:
            del described["unique"]
        return described


class Journal:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []

    def add(self, record: Record) -> None:
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()

    def describe(self, provider: str | None) -> dict[str, object]:
        """All requests, oldest first, of one provider or (None) of all."""
        with self._lock:
            records = [record for record in self._records if provider in (None, record.provider)]
        return {"requests": [record.describe() for record in records], "paid_calls": sum(r.paid for r in records)}
