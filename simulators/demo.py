"""A customer's server, as short as can be: starts a verification with the API key and sends the user to the page.

It has no return_url, and trusts nobody with anything; examples/shop.py shows what a real one has to take care of.
"""

from pathlib import Path

import requests
from flask import Blueprint, Response, make_response, redirect, render_template_string, request
from werkzeug import Response as BaseResponse

from simulators.web import BadInputError, json_body

PAGES = Path(__file__).parent / "pages"
START_SECONDS = 20


class Shop:
    """Which API it uses, once it has been told."""

    base_url: str | None = None
    api_key: str | None = None


def blueprint(shop: Shop) -> Blueprint:
    routes = Blueprint("demo", __name__)

    def form(problem: str = "", status: int = 200) -> Response:
        return make_response(render_template_string((PAGES / "demo.html").read_text(), problem=problem), status)

    @routes.get("/demo")
    def show() -> Response:
        """Shows the demo shop, which starts a verification."""
        return form()

    @routes.put("/demo/service")
    def connect() -> tuple[str, int]:
        """Tells the demo shop which API to use.

        {"base_url": "what .dev/env says", "api_key": "cv_live_…"}
        """
        body = json_body()
        base_url, api_key = body.get("base_url"), body.get("api_key")
        if not isinstance(base_url, str) or not isinstance(api_key, str):
            raise BadInputError('the body must be {"base_url": "http…", "api_key": "cv_…"}')
        shop.base_url, shop.api_key = base_url, api_key
        return "", 204

    @routes.post("/demo")
    def start() -> BaseResponse:
        """Starts a verification and sends the user to its page: the form of the demo shop."""
        if not shop.base_url:
            return form("These simulators are not connected to an API. Run `make dev`.", 503)
        wanted = {"phone": request.form.get("phone", ""), "method": request.form.get("method", "")}
        # Nobody is called by a voice unless the user chose it.
        allowed = dict.fromkeys(("reverse_call", "flash_call", *filter(None, [wanted["method"]])))
        answer = requests.post(
            f"{shop.base_url}/verifications",
            json={**wanted, "allowed_methods": list(allowed)},
            headers={"Authorization": f"Bearer {shop.api_key}"},
            timeout=START_SECONDS,
        )
        body = answer.json()
        if not answer.ok:
            return form(f"{body['code']}: {body['detail']}", answer.status_code)
        return redirect(body["page_url"], 303)

    return routes
