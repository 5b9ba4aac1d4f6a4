"""A verification's changes, published to the browsers that listen to it (AppSync Events)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from callverify.domain.channels import channel
from callverify.domain.verification import CLIENT_TOKEN_SECONDS, Verification
from callverify.domain.view import client_resource
from callverify.domain.words import Clock, Status

# Of one message, and of those of a batch from the stream that fail. A page that hears none polls.
PUBLISH_SECONDS = 1.0
FAILING_SECONDS = 0.5

Change = tuple[Verification | None, Verification | None]


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

    def tell(self, verification: Verification) -> bool:
        """Publish the record as it was written; whether nothing failed."""
        if not self._is_of_use(verification):
            return True
        resource = client_resource(verification, self._clock(), polled=True)
        message = {"channel": channel(verification.id), "events": [json.dumps(resource, separators=(",", ":"))]}
        try:
            self._post(json.dumps(message).encode())
        except Exception as error:
            self._failed(error)
            return False
        return True

    def tell_changes(self, changes: Iterable[Change]) -> None:
        """Publish each new revision among the changes of records.

        Once failures have taken too long, the others are only counted: the next batch would wait.
        """
        lost = 0.0
        for before, after in changes:
            if before and after and before.revision != after.revision:
                began = self._clock()
                if lost >= FAILING_SECONDS:
                    self._failed(TimeoutError())
                elif not self.tell(after):
                    lost += self._clock() - began

    def _is_of_use(self, verification: Verification) -> bool:
        now = self._clock()
        # What is over and not yet written as such reads as expired: the write of the end tells it.
        over = verification.status is Status.PENDING and not verification.is_live(int(now))
        return not over and now < verification.created_at + CLIENT_TOKEN_SECONDS
