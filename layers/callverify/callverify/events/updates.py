"""A verification's changes, published to the browsers that listen to it (AppSync Events)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from callverify.domain.channels import channel
from callverify.domain.verification import CLIENT_TOKEN_SECONDS, Verification
from callverify.domain.view import client_resource
from callverify.domain.words import Clock, Status

PUBLISH_SECONDS = 1.0  # of one message
# Once failures have taken so long, nothing is published for a while: the answer to a request waits for it, and the next
# batch of the stream. A page that hears nothing polls.
FAILING_SECONDS = 0.5
REST_SECONDS = 60


class Updates:
    """Publishes what a client token reads. What can't be published is counted, and never tried again.

    post: sends a message to the API, or raises. failed: told why one was not published.
    """

    def __init__(
        self, post: Callable[[bytes], object], clock: Clock, failed: Callable[[BaseException], object]
    ) -> None:
        self._post = post
        self._clock = clock
        self._failed = failed
        self._lost = 0.0
        self._rests_until = 0.0

    def tell(self, verification: Verification) -> None:
        """Publish the record as it was written."""
        if not self._is_of_use(verification):
            return
        began = self._clock()
        if began < self._rests_until:
            self._failed(TimeoutError())
            return
        resource = client_resource(verification, began, polled=True)
        message = {"channel": channel(verification.id), "events": [json.dumps(resource, separators=(",", ":"))]}
        try:
            self._post(json.dumps(message).encode())
        except Exception as error:
            self._failed(error)
            now = self._clock()
            self._lost += now - began
            if self._lost >= FAILING_SECONDS:
                self._lost, self._rests_until = 0.0, now + REST_SECONDS
        else:
            self._lost = 0.0

    def tell_changes(self, changes: Iterable[tuple[Verification | None, object]]) -> None:
        """Publish each new revision among the changes of records, given as (before, after)."""
        for before, after in changes:
            if before and isinstance(after, Verification) and before.revision != after.revision:
                self.tell(after)

    def _is_of_use(self, verification: Verification) -> bool:
        now = self._clock()
        # What is over and not yet written as such reads as expired: the write of the end tells it.
        over = verification.status is Status.PENDING and not verification.is_live(int(now))
        return not over and now < verification.created_at + CLIENT_TOKEN_SECONDS
