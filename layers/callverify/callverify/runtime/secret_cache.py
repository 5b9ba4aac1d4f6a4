"""Secrets, read again when they are old, and used on for a while when they can't be."""

from __future__ import annotations

from collections.abc import Callable

from callverify import aws
from callverify.domain.value import value
from callverify.domain.words import Clock

USED_ON_SECONDS = 60 * 60
# How often a container asks a Secrets Manager that fails. The request at hand waits for the answer.
ASK_AGAIN_SECONDS = 10


@value
class _Known:
    text: str
    read_at: float
    asked_at: float


class SecretCache:
    """The texts of secrets by name. `read` gets one from Secrets Manager; `unreadable` is told when it is busy."""

    def __init__(
        self, *, read: Callable[[str], str], clock: Clock, unreadable: Callable[[str, Exception], None]
    ) -> None:
        self._read = read
        self._clock = clock
        self._unreadable = unreadable
        self._known: dict[str, _Known] = {}

    def get(self, name: str, *, max_age: float, force: bool = False) -> str:
        """The secret's text, at most `max_age` seconds old; `force` has it read now.

        Where Secrets Manager throttles, fails or stays silent, it is the text that was read last, for an hour at most.
        Raises what botocore raises otherwise.
        """
        known, now = self._known.get(name), self._clock()
        if known and now < known.read_at + max_age and not force:
            return known.text
        failing = known and known.asked_at > known.read_at
        if known and failing and now < min(known.asked_at + ASK_AGAIN_SECONDS, known.read_at + USED_ON_SECONDS):
            return known.text
        try:
            text = self._read(name)
        except Exception as error:
            if not aws.is_busy(error):
                raise
            self._unreadable(name, error)
            now = self._clock()
            if known is None or now >= known.read_at + USED_ON_SECONDS:
                raise
            self._known[name] = _Known(known.text, known.read_at, now)
            return known.text
        self._known[name] = _Known(text, now, now)
        return text
