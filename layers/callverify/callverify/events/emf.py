"""CloudWatch's embedded metric format: metrics as members of a log line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.value import value
from callverify.domain.words import Unit

MOST_VALUES = 100  # of one metric in one line; more are refused

Sets = tuple[tuple[str, ...], ...]


@value
class Metric:
    """One value, and the sets of its dimensions by which CloudWatch adds it up."""

    name: str
    value: float
    unit: Unit
    dimensions: Mapping[str, str]
    sets: Sets


class Line:
    """Members of one log line. It has one value for each dimension, whatever number of metrics."""

    def __init__(self) -> None:
        self._dimensions: dict[str, str] = {}
        self._values: dict[str, list[float]] = {}
        self._units: dict[Sets, dict[str, Unit]] = {}

    def take(self, metric: Metric) -> bool:
        """Whether the metric has found room."""
        if any(self._dimensions.get(name, given) != given for name, given in metric.dimensions.items()):
            return False
        values = self._values.get(metric.name, [])
        if len(values) == MOST_VALUES or (values and metric.name not in self._units.get(metric.sets, {})):
            return False
        self._dimensions |= metric.dimensions
        self._values[metric.name] = [*values, metric.value]
        self._units.setdefault(metric.sets, {})[metric.name] = metric.unit
        return True

    def members(self, namespace: str, milliseconds: int) -> dict[str, Any]:
        directives = [
            {
                "Namespace": namespace,
                "Dimensions": [list(names) for names in sets],
                "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
            }
            for sets, units in self._units.items()
        ]
        values = {name: each[0] if len(each) == 1 else each for name, each in self._values.items()}
        return {**self._dimensions, **values, "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": directives}}


def lines(metrics: Sequence[Metric], namespace: str, milliseconds: int) -> list[dict[str, Any]]:
    """The members of as few log lines as these metrics fit into. milliseconds: since the epoch."""
    found: list[Line] = []
    for metric in metrics:
        if not any(line.take(metric) for line in found):
            found.append(Line())
            found[-1].take(metric)
    return [line.members(namespace, milliseconds) for line in found]
