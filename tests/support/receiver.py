"""The local stack's receiver of events, which remembers only those whose signature is right."""

import time
from typing import Any

import requests

# A message whose worker was killed comes again when the queue's visibility timeout of 90 s is over.
UNTIL_SECONDS = 300


class Receiver:
    def __init__(self, url: str) -> None:
        self._url = url

    def deliveries(self, verification_id: str) -> list[dict[str, Any]]:
        """Each delivery of an event about this verification, oldest first."""
        found = requests.get(f"{self._url}/events", timeout=30).json()["deliveries"]
        return [delivery for delivery in found if delivery["event"]["data"]["id"] == verification_id]

    def deliveries_of(self, verification_id: str, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.deliveries(verification_id) if each["event"]["type"] == kind]

    def types(self, verification_id: str) -> list[str]:
        """The types of the events that were taken, as often as they were."""
        return [each["event"]["type"] for each in self.deliveries(verification_id) if each["answer"] == 200]

    def wait_for(self, verification_id: str, kind: str) -> dict[str, Any]:
        """The event of this type, once it has been taken."""
        deadline = time.monotonic() + UNTIL_SECONDS
        while True:
            deliveries = self.deliveries(verification_id)
            for delivery in deliveries:
                if delivery["answer"] == 200 and delivery["event"]["type"] == kind:
                    return dict(delivery["event"])
            assert time.monotonic() < deadline, f"{kind} did not come: {deliveries}"
            time.sleep(0.2)

    def wait_for_deliveries(self, verification_id: str, kind: str, count: int) -> None:
        """Wait until the event of this type has been sent so often."""
        deadline = time.monotonic() + UNTIL_SECONDS
        while len(deliveries := self.deliveries_of(verification_id, kind)) < count:
            assert time.monotonic() < deadline, f"{count} did not come: {deliveries}"
            time.sleep(0.2)

    def misbehave(self, **how: Any) -> None:
        requests.post(f"{self._url}/behaviour", json=how, timeout=30).raise_for_status()

    def behave_well(self) -> None:
        requests.delete(f"{self._url}/behaviour", timeout=30).raise_for_status()
