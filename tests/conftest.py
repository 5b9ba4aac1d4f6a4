"""The deployed local stack, for the tests that ask for it."""

import os
from collections.abc import Iterator

import pytest

from tests.support.stacks import SHARED, deployed

# Exported by a shell that has read .dev/env, it would lead the tests that bring an AWS of their own to that stack.
os.environ.pop("AWS_ENDPOINT_URL", None)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The env file of a local stack, by name: the one that CALLVERIFY_DEV_ENV points at, else a new one."""
    with deployed(SHARED, tmp_path_factory.mktemp("stack")) as env:
        yield env


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in ("stack", "alone"):
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(name)
