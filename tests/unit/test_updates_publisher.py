"""Which records browsers are told of."""

import json

import pytest

from callverify.domain.verification import CLIENT_TOKEN_SECONDS, Verification
from callverify.domain.words import Status
from callverify.events.updates import FAILING_SECONDS, REST_SECONDS, Updates
from tests.support import records

PENDING = records.flash()


class Heard:
    def __init__(self, error: Exception | None = None, takes: float = 0) -> None:
        self.now = PENDING.created_at + 1.0
        self.bodies: list[bytes] = []
        self.failures: list[BaseException] = []
        self._error, self._takes = error, takes
        self.updates = Updates(self._post, lambda: self.now, self.failures.append)

    def _post(self, body: bytes) -> None:
        self.now += self._takes
        if self._error:
            raise self._error
        self.bodies.append(body)

    def works(self) -> None:
        self._error, self._takes = None, 0

    @property
    def revisions(self) -> list[int]:
        return [json.loads(json.loads(body)["events"][0])["revision"] for body in self.bodies]


def revised(number: int, status: Status = Status.PENDING) -> Verification:
    return records.flash(revision=number, status=status)


def test_each_new_revision_is_told_once() -> None:
    heard = Heard()
    heard.updates.tell_changes(
        [
            (None, revised(1)),
            (revised(1), revised(2)),
            (revised(2), revised(2)),
            (revised(2), revised(3)),
            (revised(3), None),
        ]
    )
    assert heard.revisions == [2, 3]


def test_no_revision_is_told_that_a_clock_has_made_and_no_write() -> None:
    """At its end the record reads as expired, with the number that the write of the end will take."""
    heard = Heard()
    heard.now = PENDING.expires_at - 0.5
    heard.updates.tell(revised(2))
    heard.now = PENDING.expires_at
    heard.updates.tell(revised(2))
    heard.updates.tell(revised(3, status=Status.EXPIRED))
    assert heard.revisions == [2, 3]


@pytest.mark.parametrize(("after", "told"), [(CLIENT_TOKEN_SECONDS - 1, 1), (CLIENT_TOKEN_SECONDS, 0), (10**6, 0)])
def test_nothing_is_told_30_minutes_after_the_start(after: int, told: int) -> None:
    heard = Heard()
    heard.now = PENDING.created_at + after
    heard.updates.tell(revised(2, status=Status.EXPIRED))
    assert len(heard.bodies) == told


def test_a_failure_is_counted_and_the_next_is_told() -> None:
    heard = Heard(OSError("no"))
    heard.updates.tell_changes([(revised(1), revised(2)), (revised(2), revised(3))])
    assert [type(error) for error in heard.failures] == [OSError, OSError]


def test_what_hangs_holds_others_up_once_a_minute() -> None:
    heard = Heard(TimeoutError(), takes=FAILING_SECONDS)
    heard.updates.tell_changes([(revised(number), revised(number + 1)) for number in range(1, 25)])
    assert heard.now == PENDING.created_at + 1 + FAILING_SECONDS
    assert len(heard.failures) == 24
    # Whatever tells: the answer to a request waits no more than the stream does.
    heard.updates.tell(revised(25))
    assert heard.now == PENDING.created_at + 1 + FAILING_SECONDS
    heard.now += REST_SECONDS
    heard.works()
    heard.updates.tell(revised(26, status=Status.EXPIRED))
    assert heard.revisions == [26]


def test_quick_failures_hold_nobody_up_and_stop_nothing() -> None:
    heard = Heard(OSError("no"))
    heard.updates.tell_changes([(revised(number), revised(number + 1)) for number in range(1, 25)])
    heard.works()
    heard.updates.tell(revised(25))
    assert heard.revisions == [25]
