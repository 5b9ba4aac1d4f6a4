"""telefon-ip.ru: reverse calls ("Back Calls"), and flash calls whose code the vendor picks ("Flash Calls")."""

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
from callverify.providers.credentials import PATH_SAFE, Text

MANIFEST = Manifest(
    name="telefon_ip",
    title="telefon-ip.ru",
    base_url="https://api.telefon-ip.ru",
    credentials=(Text("token", pattern=PATH_SAFE),),
    routes=(
        Route(
            Method.REVERSE_CALL,
            window=Window(default=120, most=120),
            paid=False,
            webhook=Webhook(Per.VERIFICATION, Proof.HINT),
            read_back=True,
        ),
        Route(
            Method.FLASH_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=True,
            code=their_code(4),
        ),
    ),
    # Which of the vendor's two calls that start a reverse call: only "post" can name a webhook.
    options=(Option("start", ("post", "get")),),
)
