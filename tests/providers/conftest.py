from tests.support.fake_vendor import vendor

__all__ = ["vendor"]
