from tests.support.fake_vendor import vendor
from tests.support.simulators import simulators

__all__ = ["simulators", "vendor"]
