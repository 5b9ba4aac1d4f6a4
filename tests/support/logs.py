"""Log lines as CloudWatch reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Measured = tuple[str, str, float, Mapping[str, str]]


def metrics_of(line: Mapping[str, Any], each_set: bool = False) -> list[Measured]:
    """Name, unit, value and dimensions of each metric in a line; `each_set`: once for each set of its dimensions."""
    return [
        (metric["Name"], metric["Unit"], value, {name: line[name] for name in names})
        for directive in line.get("_aws", {"CloudWatchMetrics": ()})["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for value in values(line, metric["Name"])
        for names in directive["Dimensions"][: None if each_set else 1]
    ]


def values(line: Mapping[str, Any], metric: str) -> list[float]:
    given = line[metric]
    return given if isinstance(given, list) else [given]
