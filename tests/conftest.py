"""The deployed local stack, for the tests that ask for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.background import background_stack
from local.env import read_env

# Exported by a shell that has read .dev/env, it would lead the tests that bring an AWS of their own to that stack.
os.environ.pop("AWS_ENDPOINT_URL", None)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The env file of a local stack, by name: the one that CALLVERIFY_DEV_ENV points at, else a new one."""
    if env_file := os.environ.get("CALLVERIFY_DEV_ENV"):
        yield read_env(Path(env_file))
        return
    with background_stack(tmp_path_factory.mktemp("stack")) as env:
        yield env


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
