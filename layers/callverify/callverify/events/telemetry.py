"""Logs and metrics: one JSON line for each request or message, with nothing in it that must not leak."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from aws_lambda_powertools import Logger

from callverify.domain.errors import ConfigurationFault
from callverify.domain.verification import Verification
from callverify.domain.words import CallOutcome, Outcome, Unit
from callverify.events import emf
from callverify.events.deliver import Undelivered

# RFC 3339 in UTC: Lambda takes the time, and with it the level, of no other line (decision 107).
logger = Logger(utc=True, use_rfc3339=True, location=None, xray_trace_id=None)
# To set its level: by itself it follows Lambda's own, which is never above INFO, for the metrics' sake (decision 107).
_plain = logging.getLogger(logger.name)

# Below WARNING they write whole requests and answers, with secrets, items and webhooks' tokens in them, as soon as
# somebody turns up the root logger or sets POWERTOOLS_DEBUG.
for _library in ("aws_lambda_powertools", "boto3", "botocore", "requests", "urllib3"):
    logging.getLogger(_library).setLevel(logging.WARNING)


# What CloudWatch adds these up by; any other metric, by all of its dimensions. An alarm watches one set of dimensions,
# and none may name a provider: it watches the second.
SETS: dict[str, emf.Sets] = {
    "BreakerOpened": (("provider",), ()),
    "Conversion": (("provider",), ("method",)),
    "PredictableCodes": (("provider", "method"), ()),
    "VendorErrors": (("provider", "cause"), ("cause",)),
}


class _Line:
    """What there is to tell of one request or message, until it is over."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.fields: dict[str, Any] = {}
        self.attempts: list[dict[str, Any]] = []
        self.metrics: list[emf.Metric] = []
        self.is_noted = False
        self._began = time.perf_counter()

    def answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None:
        attempt = {"provider": verification.provider, "method": verification.method, "action": action}
        answer = {"outcome": outcome.outcome, "reason": outcome.reason, "ms": self._took(verification.provider, action)}
        self.attempts.append({name: each for name, each in (attempt | answer).items() if each is not None})

    def _took(self, provider: str, action: str) -> float | None:
        asked = {"provider": provider, "action": action}
        took = [each.value for each in self.metrics if each.name == "VendorLatency" and each.dimensions == asked]
        return took[-1] if took else None

    def told(self) -> dict[str, Any]:
        attempts = {"attempts": self.attempts} if self.attempts else {}
        return {**self.fields, **attempts, "ms": round((time.perf_counter() - self._began) * 1000)}


_open: ContextVar[_Line | None] = ContextVar("line", default=None)


class Telemetry:
    """Counts to CloudWatch through the log (EMF), and log lines under the ids of request and verification.

    Between `line` and its end, what is told becomes one line. Outside, each thing becomes a line of its own.
    level: of log lines, such as "WARNING"; metrics are written at any.
    """

    def __init__(self, namespace: str = "callverify", level: str | None = None) -> None:
        self._namespace = namespace
        if level:
            _plain.setLevel(level)

    @contextmanager
    def line(self, message: str, **keys: str) -> Iterator[None]:
        """Gather what is told of a request or message: one line, or none where there is nothing to tell.

        `keys` stand in every line that is written meanwhile.
        """
        logger.clear_state()
        logger.append_keys(**keys)
        line = _Line(message)
        before = _open.set(line)
        try:
            yield
        finally:
            _open.reset(before)
            if line.is_noted or line.attempts or line.metrics:
                self._write(line.message, line.told(), line.metrics)

    def about(self, verification_id: str) -> None:
        """Have all lines from now on, until the next request or message, name this verification."""
        logger.append_keys(verification_id=verification_id)

    def add(self, **fields: Any) -> None:
        """Fields of the present line, if one is written."""
        if line := _open.get():
            line.fields |= fields

    def note(self, message: str, **fields: Any) -> None:
        """Log a step that went well."""
        if line := _open.get():
            line.message, line.is_noted = message, True
            line.fields |= fields
        else:
            logger.info(message, extra=fields)

    def audit(self, message: str, **fields: Any) -> None:
        """Write a line of its own at any level: somebody may have to account for it."""
        _handle(message, fields)

    def detail(self, message: str, **fields: Any) -> None:
        """Log what is of use only to somebody who looks for a fault."""
        logger.debug(message, extra=fields)

    def count(self, metric: str, **dimensions: str) -> None:
        """Count one `metric`. Dimensions are few and fixed: provider, method, action, cause, limit."""
        self.measure(metric, 1, "Count", **dimensions)

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None:
        """Give one value of `metric`, for CloudWatch to add up, average or sort."""
        # No dimension of functions: an alarm can't add them up.
        sets = SETS.get(metric, (tuple(dimensions),))
        # A bool would be written as true.
        measured = emf.Metric(metric, value + 0, unit, {name: str(each) for name, each in dimensions.items()}, sets)
        if line := _open.get():
            line.metrics.append(measured)
        else:
            self._write("counted", {}, [measured])

    def provider_answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None:
        """Log what a provider answered; a fault of configuration as an error that says what to look at."""
        if line := _open.get():
            line.answered(verification, action, outcome)
        fields = {
            "verification_id": verification.id,
            "provider": str(verification.provider),
            "method": str(verification.method),
            "action": action,
            "outcome": str(outcome.outcome),
            "reason": str(outcome.reason) if outcome.reason else None,
            "vendor_words": outcome.vendor_words,
        }
        if outcome.reason:
            self.count("VendorErrors", provider=verification.provider, cause=outcome.reason)
        if outcome.is_configuration_fault:
            setting = f"provider-credentials: {verification.provider}"
            logger.error("configuration fault: the provider refuses the account", extra=fields | {"setting": setting})
            self.count("ConfigurationFaults")
        elif outcome.outcome is not Outcome.STARTED:
            logger.warning("provider answered", extra=fields)
        elif line is None:
            logger.info("provider answered", extra=fields)

    def _write(self, message: str, fields: dict[str, Any], metrics: Sequence[emf.Metric]) -> None:
        """One line, and more where no single one can hold the metrics."""
        first, *more = emf.lines(metrics, self._namespace, int(time.time() * 1000)) or [{}]
        if _plain.isEnabledFor(logging.INFO):
            first = fields | first
        for members in filter(None, (first, *more)):
            _handle(message, members)

    def configuration_fault(self, fault: ConfigurationFault) -> None:
        logger.error(f"configuration fault: {fault.problem}", extra={"setting": fault.setting})
        self.count("ConfigurationFaults")

    def message_failed(self, message_id: str, error: Exception) -> None:
        """Log why a queued message could not be dealt with; it comes again."""
        if isinstance(error, ConfigurationFault):
            self.configuration_fault(error)
        elif isinstance(error, Undelivered):
            logger.warning("event not delivered", extra={"message_id": message_id, "cause": str(error)})
            self.count("EventsUndelivered")
        else:
            self.unexpected(error)

    def unpublished(self, verification_id: str, error: BaseException) -> None:
        """Log why the stream's record of a verification could not be dealt with; it waits in a queue."""
        logger.error("record not published", extra={"verification_id": verification_id, **_place(error)})
        self.count("EventsUnpublished")

    def update_unpublished(self, error: BaseException) -> None:
        """A browser that listens was not told of a change. It polls, so that nothing is lost but time."""
        self.detail("update not published", error=type(error).__name__)
        self.count("UpdatesUnpublished")

    def busy(self, error: BaseException) -> None:
        """Log and count an answer `busy` by the error of AWS's client that is behind it."""
        logger.warning("busy", extra=_place(error.__cause__ or error))
        self.count("Busy")

    def secret_unreadable(self, setting: str, error: BaseException) -> None:
        """Log and count that Secrets Manager did not give the secret of the environment variable `setting`."""
        logger.warning("secret unreadable", extra={"setting": setting, **_place(error)})
        self.count("SecretsUnreadable")

    def unexpected(self, error: BaseException) -> None:
        """Log an error that nobody foresaw by its type and its place: its message may quote a URL or an item."""
        logger.error("internal error", extra=_place(error))


def _handle(message: str, members: dict[str, Any]) -> None:
    """Write a line whatever the level."""
    record = {"levelno": logging.INFO, "levelname": "INFO", "msg": message, **members}
    logger.registered_handler.handle(logging.makeLogRecord(record))


def _place(error: BaseException) -> dict[str, str | list[str]]:
    return {
        "error_type": type(error).__name__,
        "stack": [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ],
    }
