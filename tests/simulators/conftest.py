import pytest

from tests.simulators.harness import Simulators


@pytest.fixture
def simulators() -> Simulators:
    return Simulators()
