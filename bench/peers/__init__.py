"""Two services that others would write for the same runtime, each built as this one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def events() -> Mapping[str, Callable[[], Any]]:
    """By peer's folder: what makes its next event."""
    return {}
