from collections.abc import Iterator

import pytest

from tests.crashes.world import World, clouds, new_world


@pytest.fixture(scope="package")
def cloud() -> Iterator[None]:
    with clouds():
        yield


@pytest.fixture
def world(cloud: None) -> Iterator[World]:  # noqa: ARG001
    with new_world() as made:
        yield made
