"""What the tests of every provider have to know of Twilio. The credentials are made up."""

import base64

from callverify.domain.words import Method
from callverify.providers.twilio.twiml import ask_for_key
from tests.support.cases import Case, Sent

ACCOUNT_SID, AUTH_TOKEN, FROM = "AC" + "ab" * 16, "made-up-auth-token", "+15005550006"
WEBHOOK_URL = "https://verify.example/v1/webhooks/twilio/vrf_1/token-of-vrf_1"
BASIC = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()

CASE = Case(
    credentials={"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "from": FROM},
    secrets=(ACCOUNT_SID, AUTH_TOKEN, BASIC),
    starts={
        Method.VOICE_CALL: Sent(
            "POST",
            f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json",
            form={"To": "+79000000001", "From": FROM, "Timeout": "15", "Twiml": ask_for_key(WEBHOOK_URL, "ru")},
            headers={"authorization": f"Basic {BASIC}"},
        )
    },
)
