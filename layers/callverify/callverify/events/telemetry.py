"""Logs and metrics: one JSON line for what an operator has to know, with nothing in it that must not leak."""

from __future__ import annotations

import logging
import traceback

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from callverify.domain.errors import ConfigurationFault
from callverify.domain.verification import Verification
from callverify.domain.words import CallOutcome, Outcome, Unit
from callverify.events.deliver import Undelivered

logger = Logger()

# Below WARNING they write whole requests and answers, with secrets, items and webhooks' tokens in them, as soon as
# somebody turns up the root logger or sets POWERTOOLS_DEBUG.
for _library in ("aws_lambda_powertools", "boto3", "botocore", "requests", "urllib3"):
    logging.getLogger(_library).setLevel(logging.WARNING)


# What a metric's line has beside its dimensions, so that it is found with the log lines of the same verification.
PROPERTIES = ("service", "request_id", "verification_id")
# What CloudWatch adds these up by; any other metric, by all of its dimensions. An alarm watches one set of dimensions,
# and none may name a provider: it watches the second.
SETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "BreakerOpened": (("provider",), ()),
    "Conversion": (("provider",), ("method",)),
    "PredictableCodes": (("provider", "method"), ()),
    "VendorErrors": (("provider", "cause"), ("cause",)),
}


class Telemetry:
    """Counts to CloudWatch through the log (EMF), and log lines under the ids of request and verification."""

    def about(self, verification_id: str) -> None:
        """Have all lines from now on, until the next request or message, name this verification."""
        logger.append_keys(verification_id=verification_id)

    def note(self, message: str, **fields: str | int) -> None:
        """Log a step that went well."""
        logger.info(message, extra=fields)

    def count(self, metric: str, **dimensions: str) -> None:
        """Count one `metric`. Dimensions are few and fixed: provider, method, action, cause, limit."""
        self.measure(metric, 1, "Count", **dimensions)

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None:
        """Give one value of `metric`, for CloudWatch to add up, average or sort."""
        first, *more = SETS.get(metric, (tuple(dimensions),))
        emf = AmazonCloudWatchEMFProvider()
        # No dimension of functions: an alarm can't add them up.
        emf.service = ""
        emf.add_metric(name=metric, unit=MetricUnit(unit), value=value)
        for name in first:
            emf.add_dimension(name=name, value=dimensions[name])
        emf.dimension_sets += [{name: dimensions[name] for name in names} for names in more]
        keys = logger.get_current_keys()
        for name in PROPERTIES:
            if keys.get(name):
                emf.add_metadata(key=name, value=keys[name])
        emf.flush_metrics()

    def provider_answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None:
        """Log what a provider answered; a fault of configuration as an error that says what to look at."""
        fields = {
            "verification_id": verification.id,
            "provider": str(verification.provider),
            "action": action,
            "outcome": str(outcome.outcome),
            "reason": str(outcome.reason) if outcome.reason else None,
            "vendor_words": outcome.vendor_words,
        }
        if outcome.reason:
            self.count("VendorErrors", provider=verification.provider, cause=outcome.reason)
        if outcome.is_configuration_fault:
            setting = f"provider-credentials: {verification.provider}"
            logger.error("configuration fault: the provider refuses our account", extra=fields | {"setting": setting})
            self.count("ConfigurationFaults")
        elif outcome.outcome is Outcome.STARTED:
            logger.info("provider answered", extra=fields)
        else:
            logger.warning("provider answered", extra=fields)

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


def _place(error: BaseException) -> dict[str, str | list[str]]:
    return {
        "error_type": type(error).__name__,
        "stack": [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ],
    }
