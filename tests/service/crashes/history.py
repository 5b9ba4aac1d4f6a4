"""What was written of verifications, as the table's stream tells it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from callverify.domain.verification import Verification
from callverify.domain.words import Status
from callverify.store.items import verification_of_image

Image = dict[str, Any] | None


class History:
    """records: each as it is, the latest begun last. unpublished: changes that no publisher has taken yet.

    transitions: how often each was brought into each status.
    """

    def __init__(self) -> None:
        self.records: dict[str, Verification] = {}
        self.unpublished: list[tuple[Verification | None, Verification | None]] = []
        self.transitions: Counter[tuple[str, Status]] = Counter()

    def hear(self, _: Image, image: Image) -> None:
        new = verification_of_image(image)
        if new is None:
            return
        old = self.records.get(new.id)
        assert old is None or old.status is Status.PENDING, f"written after its end: {old} → {new}"
        if old is None or old.status is not new.status:
            self.transitions[new.id, new.status] += 1
        self.records[new.id] = new
        self.unpublished.append((old, new))
