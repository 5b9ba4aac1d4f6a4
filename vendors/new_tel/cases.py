"""What the tests of every provider have to know of New-Tel. The credentials are made up."""

from callverify.domain.words import RING_SECONDS, Method
from tests.support.cases import Case, Sent

API_KEY, SIGNING_KEY = "0123456789abcdef" * 3, "fedcba9876543210" * 3

CASE = Case(
    credentials={"api_key": API_KEY, "signing_key": SIGNING_KEY},
    secrets=(API_KEY, SIGNING_KEY),
    starts={
        # The signature in its header holds the time: see test_new_tel.py.
        Method.FLASH_CALL: Sent(
            "POST",
            "/call-password/start-password-call",
            json={"async": 1, "dstNumber": "79000000001", "pin": "0427", "timeout": RING_SECONDS},
        )
    },
)
