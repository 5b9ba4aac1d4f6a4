import pytest

from tests.support.simulators import Simulators


@pytest.fixture
def simulators() -> Simulators:
    return Simulators()
