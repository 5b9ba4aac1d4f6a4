"""What the tests of every provider have to know of Ringbell."""

from callverify.domain.words import Method
from tests.support.cases import Case, Sent

KEY = "made-up-key-of-ringbell"
HEADERS = {"authorization": f"Bearer {KEY}"}
WEBHOOK_URL = "https://verify.example/v1/webhooks/ringbell/vrf_1/token-of-vrf_1"

CASE = Case(
    credentials={"api_key": KEY},
    secrets=(KEY,),
    starts={
        Method.REVERSE_CALL: Sent(
            "POST", "/reverse", json={"phone": "79000000001", "report_to": WEBHOOK_URL}, headers=HEADERS
        ),
        Method.FLASH_CALL: Sent("POST", "/flash", json={"phone": "79000000001", "code": "0427"}, headers=HEADERS),
    },
)
