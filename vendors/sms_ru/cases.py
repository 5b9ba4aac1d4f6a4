"""What the tests of every provider have to know of SMS.RU. The credentials are made up."""

from callverify.domain.words import Method
from tests.support.cases import Case, Sent

API_ID, WEBHOOK_TOKEN = "MADE-UP0-API1-ID00-OF00-SMSRU0000000", "made-up-webhook-token"
ACCOUNT = {"api_id": API_ID, "phone": "79000000001", "json": "1"}

CASE = Case(
    credentials={"api_id": API_ID, "webhook_token": WEBHOOK_TOKEN},
    secrets=(API_ID, WEBHOOK_TOKEN),
    starts={
        Method.REVERSE_CALL: Sent("POST", "/callcheck/add", form=ACCOUNT),
        Method.FLASH_CALL: Sent("POST", "/code/call", form={**ACCOUNT, "ip": "-1"}),
    },
)
