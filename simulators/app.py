"""The web app: the vendors, the telephone, and the calls that steer and watch them."""

import logging
import traceback
from datetime import UTC, datetime

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from simulators import demo, telephone
from simulators.faults import PROVIDERS, Fault
from simulators.smsc import Smsc
from simulators.telefon_ip import TelefonIp
from simulators.ucaller import Ucaller
from simulators.vendor import Vendor, World
from simulators.web import BadInputError, json_body

NOT_OURS = {"HEAD", "OPTIONS"}  # the framework adds them to every route

log = logging.getLogger("simulators")


def create_app(world: World | None = None) -> Flask:
    """Build the app around a world: by default a real one, with the wall clock and webhooks sent by HTTP."""
    world = world or World()
    vendors: list[Vendor] = [Ucaller(world), TelefonIp(world), Smsc(world)]
    app = Flask("simulators", static_folder=None)

    def dial(caller: str, dialled: str) -> dict[str, object]:
        for vendor in vendors:
            answered, webhook = vendor.take_call(caller, dialled)
            if answered:
                outcome = world.webhooks.report(webhook, caller) if webhook else "none"
                return {"answered": True, "provider": vendor.name, "webhook": outcome}
        return {"answered": False, "provider": None, "webhook": "none"}

    for vendor in vendors:
        app.register_blueprint(vendor.blueprint())
    app.register_blueprint(telephone.blueprint(world.telephone, dial))
    app.register_blueprint(demo.blueprint(demo.Shop()))
    _add_steering(app, world)
    _keep_quiet(app)

    @app.after_request
    def date(response: Response) -> Response:
        response.date = datetime.fromtimestamp(world.clock(), UTC)
        return response

    return app


def _add_steering(app: Flask, world: World) -> None:
    @app.get("/")
    def overview() -> Response:
        calls = [f"{'|'.join(sorted((rule.methods or set()) - NOT_OURS))} {rule}" for rule in app.url_map.iter_rules()]
        return jsonify(status="ok", faults=world.faults.describe(), calls=calls)

    @app.get("/faults")
    def faults() -> Response:
        return jsonify(faults=world.faults.describe())

    @app.post("/faults")
    def add_fault() -> Response:
        world.faults.add(Fault.parse(json_body()))
        return faults()

    @app.delete("/faults")
    def clear_faults() -> Response:
        world.faults.clear()
        return faults()

    @app.get("/requests")
    def requests() -> Response:
        provider = request.args.get("provider")
        if provider not in (None, *PROVIDERS):
            raise BadInputError(f"provider must be one of {', '.join(PROVIDERS)}")
        return jsonify(world.journal.describe(provider))

    @app.delete("/requests")
    def clear_requests() -> Response:
        world.journal.clear()
        return jsonify(world.journal.describe(None))

    @app.post("/clock")
    def advance_clock() -> Response:
        """Put the time at the vendors forward: their windows, waits and limits."""
        seconds = json_body().get("advance")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 86_400:
            raise BadInputError("advance must be a number of seconds, at most a day of them")
        world.ahead += seconds
        return jsonify(ahead=world.ahead)

    @app.delete("/clock")
    def reset_clock() -> Response:
        world.ahead = 0.0
        return jsonify(ahead=world.ahead)

    @app.get("/webhooks")
    def webhooks() -> Response:
        return jsonify(webhooks=world.webhooks.describe())


def _keep_quiet(app: Flask) -> None:
    """Log and answer without credentials, numbers and codes: a path's template, never the path."""

    @app.after_request
    def log_request(response: Response) -> Response:
        log.info("%s %s %s", request.method, request.url_rule or "(no such path)", response.status_code)
        return response

    @app.errorhandler(BadInputError)
    def bad_input(error: BadInputError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.name), error.code or 500

    @app.errorhandler(Exception)
    def bug(error: Exception) -> tuple[Response, int]:
        # Flask's own handler would log the path, and an exception's text may hold a value.
        log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        return jsonify(error="internal error"), 500
