"""Immutable values."""

from __future__ import annotations

import dataclasses
from typing import dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def value[T](cls: type[T]) -> type[T]:
    """A dataclass with slots that type checkers hold frozen. Decision 50.

    Not `dataclass(frozen=True)`: making its `__setattr__` for every class takes 20 ms of each cold start, and what is
    left out below more (measured 2026-11; to undo: `dataclass(frozen=True, slots=True)`).
    """
    return dataclasses.dataclass(slots=True, repr=False, match_args=False)(cls)
