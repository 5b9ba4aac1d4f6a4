"""What the tests of every provider have to know of telefon-ip.ru. The credentials are made up."""

from callverify.domain.words import Method
from tests.support.cases import Case, Sent

TOKEN = "made-up-token-of-telefon-ip"
WEBHOOK_URL = "https://verify.example/v1/webhooks/telefon_ip/vrf_1/token-of-vrf_1"

CASE = Case(
    credentials={"token": TOKEN},
    secrets=(TOKEN,),
    starts={
        Method.REVERSE_CALL: Sent(
            "POST",
            f"/api/v1/authcalls/{TOKEN}/reverse_auth_phone_post",
            json={"phone": "89000000001", "webhook": WEBHOOK_URL},
        ),
        # With the slash at the end, and without `sms`.
        Method.FLASH_CALL: Sent("GET", f"/api/v1/authcalls/{TOKEN}/get_code/89000000001/"),
    },
)
