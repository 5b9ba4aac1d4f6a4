import pytest

from tests.service.crashes.world import World


@pytest.fixture
def world() -> World:
    return World()
