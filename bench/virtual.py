"""Virtual time: thousands of requests that wait at once, in one process, one of them at work at a time.

Each request runs in a thread, so that it may be any code; wherever it waits, it hands over to whatever is due next.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

STACK_BYTES = 512 * 1024


class Schedule:
    """now: epoch seconds, which only waiting moves."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: list[tuple[float, int, Callable[[], None] | None, threading.Lock | None]] = []
        self._order = itertools.count()
        self._idle: list[_Worker] = []
        self._over = threading.Lock()
        self._error: BaseException | None = None

    def clock(self) -> float:
        return self.now

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Begin this then."""
        heapq.heappush(self._due, (max(when, self.now), next(self._order), act, None))

    def wait(self, seconds: float) -> None:
        """Let others work for so long."""
        own = threading.Lock()
        own.acquire()
        heapq.heappush(self._due, (self.now + max(0.0, seconds), next(self._order), None, own))
        if self._due[0][3] is own:
            self.now = heapq.heappop(self._due)[0]
            return
        self._hand_over()
        own.acquire()

    def run(self) -> None:
        """Until nothing is due any more. Raises what anything that it began has raised."""
        before = threading.stack_size(STACK_BYTES)
        self._over.acquire()
        try:
            self._hand_over()
            self._over.acquire()
        finally:
            self._over.release()
            threading.stack_size(before)
            for worker in self._idle:
                worker.stop()
            self._idle = []
        if self._error:
            raise self._error

    def _next(self) -> Callable[[], None] | None:
        """What is due, for the calling thread to begin. None where a waiting thread goes on, or nothing is left."""
        if not self._due or self._error:
            self._over.release()
            return None
        self.now, _, act, waiting = heapq.heappop(self._due)
        if waiting:
            waiting.release()
        return act

    def _hand_over(self) -> None:
        act = self._next()
        if act is not None:
            worker = self._idle.pop() if self._idle else _Worker(self)
            worker.begin(act)


class _Worker:
    """A thread that takes up one request after the other."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._wake = threading.Lock()
        self._wake.acquire()
        self._act: Callable[[], None] | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, act: Callable[[], None]) -> None:
        self._act = act
        self._wake.release()

    def stop(self) -> None:
        self._act = None
        self._wake.release()

    def _work(self) -> None:
        schedule = self._schedule
        while True:
            self._wake.acquire()
            act = self._act
            if act is None:
                return
            while act is not None:
                try:
                    act()
                except BaseException as error:
                    schedule._error = error
                # At once, without another thread, where something is to be begun. Idle first: what goes on instead
                # may need a thread.
                schedule._idle.append(self)
                act = schedule._next()
                if act is not None:
                    schedule._idle.pop()
