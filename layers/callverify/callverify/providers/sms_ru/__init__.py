"""SMS.RU: reverse calls by `callcheck`, and flash calls by `code/call`, whose code the vendor picks."""

from callverify.domain.words import Method
from callverify.providers.base import (
    OUR_LONGEST_WINDOW,
    Manifest,
    Option,
    Per,
    Proof,
    Route,
    Webhook,
    Window,
    their_code,
)
from callverify.providers.credentials import HEADER_SAFE, PATH_SAFE, Text

MANIFEST = Manifest(
    name="sms_ru",
    title="SMS.RU",
    base_url="https://sms.ru",
    credentials=(
        # Also the key of the reports' hash.
        Text("api_id", least=16, pattern=HEADER_SAFE),
        Text("webhook_token", least=16, pattern=PATH_SAFE),
    ),
    routes=(
        Route(
            Method.REVERSE_CALL,
            window=Window(default=300, most=300),
            paid=False,
            webhook=Webhook(Per.ACCOUNT, Proof.HINT, answer="100"),
            read_back=True,
            names_caller=False,
        ),
        Route(
            Method.FLASH_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=True,
            code=their_code(4),
        ),
    ),
    # Whether the vendor is told the user's address, for its own limits.
    options=(Option("send_ip", ("no", "yes")),),
)
