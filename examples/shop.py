"""A customer's server that lets the hosted page do the work, once as a link and once as a frame.

Start the local stack in one terminal, so that the shop may show the frame and the page may lead back to it:

    make dev PARAMETERS="AllowedOrigins=http://127.0.0.1:8808 ReturnOrigins=http://127.0.0.1:8808"

When it says Ready, start the shop in another one, and open http://127.0.0.1:8808:

    . .dev/env
    export RETURN_URL=http://127.0.0.1:8808/done
    .venv/bin/python -m flask --app examples.shop run --port 8808

For another stack, set BASE_URL and API_KEY in place of the first line. Without RETURN_URL, open /done yourself.

What it takes care of is in docs/page.md: it acts only on the verification that it stored itself at the start, beside
its own session and the full phone number, once, and soon.
"""

import os
import secrets
import time
import uuid
from datetime import datetime
from typing import Any

import requests
from flask import Flask, Response, make_response, redirect, render_template_string, request, session
from werkzeug import Response as BaseResponse

SECONDS = 20
VERIFIED_WITHIN_SECONDS = 5 * 60

FORM = """<!doctype html><html lang="en"><title>Shop</title><main><h1>Your phone number</h1>
<p role="alert">{{ problem }}</p>
<form method="post" action="/start"><label>Phone <input name="phone" type="tel" value="{{ phone }}" required></label>
<button name="show" value="link">Confirm on a page of its own</button>
<button name="show" value="frame">Confirm here</button></form></main></html>"""

FRAME = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Shop</title>
<script src="{{ base_url }}/page/callverify.js"></script>
<main><h1>Your phone number</h1><call-verify page-url="{{ page_url }}"></call-verify></main>
<script nonce="{{ nonce }}">
  const element = document.querySelector("call-verify");
  // Events say only when to look: /done asks the API, with the API key.
  element.addEventListener("verified", () => location.assign("/done"));
  element.addEventListener("restart", () => location.assign("/"));
</script></html>"""


def create_app(base_url: str, api_key: str, return_url: str | None = None) -> Flask:
    """`return_url`: this shop's own /done, at one of the stack's ReturnOrigins."""
    app = Flask("shop")
    app.secret_key = secrets.token_bytes(32)
    # What happened once must not happen again: on a real server, a row of its database.
    pending: dict[str, dict[str, str]] = {}
    # A random Idempotency-Key for each click, kept here: a double click has one key, and so one verification.
    clicks: dict[tuple[str, ...], str] = {}

    def call(method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> requests.Response:
        headers |= {"Authorization": f"Bearer {api_key}"}
        return requests.request(method, base_url + path, json=body, headers=headers, timeout=SECONDS)

    def start_once(customer: str, wanted: dict[str, Any]) -> tuple[str, requests.Response]:
        """The click's key, and the answer to its start. The same click again, while that is pending, gets it again."""
        place = (customer, wanted["phone"], wanted.get("return_url", ""))
        click = clicks.setdefault(place, str(uuid.uuid4()))
        begun = pending.get(customer)
        if begun and begun["click"] != click:  # another phone, or another button: the first one is over
            call("POST", f"/verifications/{begun['id']}/cancel")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = call("POST", "/verifications", wanted, **{"Idempotency-Key": click})
            if answer.json().get("code") != "idempotency_in_progress" or time.monotonic() > deadline:
                break
            time.sleep(0.5)  # the other half of a double click is being answered
        if answer.ok and answer.json()["status"] == "pending":
            return click, answer
        # That is over: the next click is a new one. This one is, if it was answered with what had ended before.
        if clicks.get(place) == click:
            del clicks[place]
        return start_once(customer, wanted) if answer.ok and answer.status_code != 201 else (click, answer)

    def form(problem: str = "", phone: str = "", status: int = 200) -> Response:
        # From the first page on: both halves of a double click say whose they are.
        session.setdefault("customer", secrets.token_urlsafe(16))
        return make_response(render_template_string(FORM, problem=problem, phone=phone), status)

    @app.get("/")
    def start_page() -> Response:
        return form()

    @app.post("/start")
    def start() -> BaseResponse:
        phone = request.form["phone"]
        wanted: dict[str, Any] = {"phone": phone, "end_user_ip": request.remote_addr}
        if return_url and request.form.get("show") == "link":
            wanted["return_url"] = return_url
        customer = session.setdefault("customer", secrets.token_urlsafe(16))
        click, answer = start_once(customer, wanted)
        started = answer.json()
        if not answer.ok:
            return form(started["detail"], phone, answer.status_code)
        pending[customer] = {"id": started["id"], "phone": phone, "click": click}
        if request.form.get("show") == "link":
            return redirect(started["page_url"], 303)
        nonce = secrets.token_urlsafe(16)
        framed = make_response(
            render_template_string(FRAME, base_url=base_url, page_url=started["page_url"], nonce=nonce)
        )
        origin = "/".join(base_url.split("/")[:3])
        framed.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'nonce-{nonce}' {origin}; frame-src {origin}; style-src 'unsafe-inline'"
        )
        framed.headers["Cache-Control"] = "no-store"  # it holds the client token
        return framed

    @app.get("/done")
    def done() -> Response:
        # Not request.args["verification_id"]: anybody can put any id there.
        begun = pending.get(session.get("customer", ""))
        if not begun:
            return form("Nothing is being confirmed here.", status=403)
        verification = call("GET", f"/verifications/{begun['id']}").json()
        if verification.get("status") != "verified":
            return form("The number is not confirmed yet.", begun["phone"], 403)
        # Taken out before it is acted on: only one of two requests at once gets it.
        if pending.pop(session["customer"], None) is not begun:
            return form("That was done already.", status=403)
        if time.time() - datetime.fromisoformat(verification["verified_at"]).timestamp() > VERIFIED_WITHIN_SECONDS:
            return form("That was too long ago. Please confirm again.", begun["phone"], 403)
        return make_response(
            render_template_string("<!doctype html><title>Shop</title><h1>{{ p }} is yours</h1>", p=begun["phone"])
        )

    return app


if "BASE_URL" in os.environ:
    app = create_app(os.environ["BASE_URL"], os.environ["API_KEY"], os.environ.get("RETURN_URL"))
