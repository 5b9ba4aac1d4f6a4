"""What the tests of every provider have to know of uCaller. The credentials are made up."""

from callverify.domain.words import Method
from tests.support.cases import Case, Sent

KEY = "0123456789abcdefmade-up-key"

CASE = Case(
    credentials={"key": KEY, "service_id": 103000},
    secrets=(KEY,),
    starts={
        Method.FLASH_CALL: Sent(
            "POST",
            "/v1.0/initCall",
            json={"phone": 79000000001, "code": "0427", "unique": "attempt-1"},
            headers={"authorization": f"Bearer {KEY}.103000"},
        ),
        Method.VOICE_CALL: Sent(
            "POST",
            "/v1.0/initCall",
            json={"phone": 79000000001, "code": "0427", "unique": "attempt-1", "voice": True},
            headers={"authorization": f"Bearer {KEY}.103000"},
        ),
    },
)
