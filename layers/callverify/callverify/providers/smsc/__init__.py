"""SMSC: reverse calls, whose caller the vendor reports to our handler, and voice calls, in which it says our text."""

from callverify.domain.words import Method
from callverify.providers.base import (
    OUR_LONGEST_WINDOW,
    Identifies,
    Manifest,
    Per,
    Proof,
    Route,
    Webhook,
    Window,
    our_code,
)
from callverify.providers.credentials import PATH_SAFE, Either, Text

MANIFEST = Manifest(
    name="smsc",
    title="SMSC",
    base_url="https://smsc.ru",
    credentials=(
        # First, since without it a callback could be anybody's.
        Text("callback_secret", least=16),
        Text("webhook_token", least=16, pattern=PATH_SAFE),
        # An API key works alone, and some skins want the login beside it.
        Either(((Text("apikey"), Text("login", required=False)), (Text("login"), Text("psw")))),
    ),
    routes=(
        Route(
            Method.REVERSE_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=False,
            identifies=Identifies.BY_PHONE,
            webhook=Webhook(Per.ACCOUNT, Proof.SIGNATURE),
        ),
        Route(
            Method.VOICE_CALL,
            window=Window(default=300, most=OUR_LONGEST_WINDOW),
            paid=True,
            code=our_code(6),
            asks_countries=True,
        ),
    ),
)
