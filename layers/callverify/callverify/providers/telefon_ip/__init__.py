"""telefon-ip.ru, "Back Calls": reverse calls. The user calls a number that the vendor lends for 120 s."""

from callverify.domain.words import Method
from callverify.providers.base import Manifest, Option, Per, Proof, Route, Webhook, Window
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
    ),
    # Which of the vendor's two start calls: only "post" can name a webhook.
    options=(Option("start", ("post", "get")),),
)
