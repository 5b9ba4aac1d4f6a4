"""`dataclass(frozen=True, slots=True)`, held frozen by mypy alone: at run time that takes 20 ms of each cold start.

Decision 50.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Any:  # noqa: ARG001
        return dataclasses.dataclass(slots=slots)


__all__ = ["dataclass"]
