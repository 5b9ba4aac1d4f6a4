"""What the tests of every provider have to know of SMSC. The credentials are made up."""

from callverify.domain.words import Method
from tests.support.cases import Case, Sent

LOGIN, PASSWORD = "made-up-login", "made-up psw/&ы"
CALLBACK_SECRET, WEBHOOK_TOKEN = "made-up-callback-secret", "made-up-webhook-token"

CASE = Case(
    credentials={
        "login": LOGIN,
        "psw": PASSWORD,
        "callback_secret": CALLBACK_SECRET,
        "webhook_token": WEBHOOK_TOKEN,
    },
    secrets=(LOGIN, PASSWORD, CALLBACK_SECRET, WEBHOOK_TOKEN),
    starts={
        Method.REVERSE_CALL: Sent(
            "POST",
            "/sys/wait_call.php",
            form={"login": LOGIN, "psw": PASSWORD, "phone": "79000000001", "fmt": "3", "charset": "utf-8"},
        ),
        Method.VOICE_CALL: Sent(
            "POST",
            "/sys/send.php",
            form={
                "login": LOGIN,
                "psw": PASSWORD,
                "phones": "79000000001",
                "mes": "Ваш код: 0, 4, 2, 7, 4, 2. Повторяю: 0, 4, 2, 7, 4, 2.",
                "call": "1",
                "param": "20,10,1",
                "fmt": "3",
                "charset": "utf-8",
            },
        ),
    },
    # fmt 0, 1, 2 and the XML that has lost its tags.
    answers=(r"ERROR = [0-9]{1,12}", r"0,-[0-9]{1,12}", r"<(result|phone)>.{0,20}</phone>", r".{0,9}\n[0-9]{1,3}"),
)
