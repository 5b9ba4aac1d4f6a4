from tests.support.simulators import simulators

__all__ = ["simulators"]
