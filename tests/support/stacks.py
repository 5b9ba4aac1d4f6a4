"""What the suites' deployed stacks are told: one that most suites share, and one whose windows can be waited for."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callverify.providers.registry import manifests
from local.background import background_stack
from local.env import read_env

# A site whose pages call the API and hold its page in a frame, and one that users go back to.
SHOP_PORT = 8808
SHOP = f"http://localhost:{SHOP_PORT}"
RETURN_ORIGIN = "https://shop.example.com"
# Both, for requests that no browser makes.
ORIGIN = "https://shop.example"

# It can be asked whether its user has called.
ASKED = next(each.name for each in manifests() for route in each.routes if route.read_back and not route.code)
WINDOW_SECONDS = 20
MAX_DELIVERIES = 4


@dataclass(frozen=True)
class Plan:
    """Template parameters by name, and what is merged into the providers' credentials."""

    parameters: Mapping[str, str]
    providers: Mapping[str, Any] = field(default_factory=dict)


SHARED = Plan({"AllowedOrigins": f"{SHOP},{ORIGIN}", "ReturnOrigins": f"{RETURN_ORIGIN},{ORIGIN}"})
SHORT_WINDOWS = Plan({"EventMaxDeliveries": str(MAX_DELIVERIES)}, {ASKED: {"window_seconds": WINDOW_SECONDS}})


@contextmanager
def deployed(plan: Plan, directory: Path, built: Path | None = None) -> Iterator[dict[str, str]]:
    """The env file of a stack, by name: the one that CALLVERIFY_DEV_ENV points at, else a new one in `directory`."""
    if env_file := os.environ.get("CALLVERIFY_DEV_ENV"):
        yield read_env(Path(env_file)) | {"DEV_DIR": str(Path(env_file).parent)}
        return
    with background_stack(directory, plan.parameters, providers=plan.providers, built=built) as env:
        yield env | {"DEV_DIR": str(directory)}
