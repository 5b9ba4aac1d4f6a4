"""The web app: the vendors, the telephone, and the calls that steer and watch them."""

import logging
import traceback
from datetime import UTC, datetime

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from callverify.providers.names import NAMES
from simulators import demo, telephone
from simulators.faults import Fault
from simulators.overview import describe
from simulators.registry import fault_modes, prefixes, provider_named, simulator
from simulators.vendor import Vendor, World
from simulators.web import BadInputError, json_body, normalise

log = logging.getLogger("simulators")


def create_app(world: World | None = None) -> Flask:
    """Build the app around a world: by default a real one, with the wall clock and webhooks sent by HTTP."""
    world = world or World()
    vendors: list[Vendor] = [simulator(name)(world) for name in NAMES]
    app = Flask("simulators", static_folder=None)
    app.extensions["vendors"] = vendors

    def dial(caller: str, dialled: str) -> dict[str, object]:
        for vendor in vendors:
            answered, webhook = vendor.take_call(caller, dialled)
            if answered:
                outcome = world.webhooks.report(webhook, caller) if webhook else "none"
                return {"answered": True, "provider": vendor.name, "webhook": outcome}
        return {"answered": False, "provider": None, "webhook": "none"}

    # The public clients of the real vendors write some paths with a slash at the end, and the vendors take both.
    app.url_map.strict_slashes = False
    for vendor in vendors:
        for prefix in prefixes(vendor.name):
            app.register_blueprint(vendor.blueprint(), name=prefix, url_prefix=f"/{prefix}")
    app.register_blueprint(telephone.blueprint(world, dial))
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
        """Lists all calls and all fault modes."""
        overview = describe(app.url_map, app.view_functions, fault_modes(), world.faults)
        return Response(overview, mimetype="application/json")

    @app.get("/faults")
    def faults() -> Response:
        """Lists the faults that are still to come."""
        return jsonify(faults=world.faults.describe())

    @app.post("/faults")
    def add_fault() -> Response:
        """Breaks the next answers or reports of a provider. `times` 0: until DELETE /faults; `phone`: this number only.

        {"provider": "<provider>", "mode": "timeout", "times": 1}
        """
        body = json_body()
        world.faults.add(Fault.parse(body, fault_modes(), provider_named(body.get("provider"))))
        world.ports.settle()
        return faults()

    @app.delete("/faults")
    def clear_faults() -> Response:
        """Removes all faults, or with ?phone= those for one number."""
        phone = request.args.get("phone")
        world.faults.clear(None if phone is None else normalise(phone))
        world.ports.settle()
        return faults()

    @app.get("/ports")
    def ports() -> Response:
        """Lists the port of each vendor's own. At this one all of them answer, and none can refuse a connection."""
        return jsonify(ports=world.ports.describe())

    @app.get("/requests")
    def requests() -> Response:
        """Lists the requests to the vendors, with ?provider= those to one. Free starts count as `paid` too."""
        provider = request.args.get("provider")
        return jsonify(world.journal.describe(None if provider is None else provider_named(provider)))

    @app.delete("/requests")
    def clear_requests() -> Response:
        """Clears the list of requests to the vendors."""
        world.journal.clear()
        return jsonify(world.journal.describe(None))

    @app.post("/clock")
    def advance_clock() -> Response:
        """Moves the vendors' clock forward by seconds, and with it their windows, waits and limits.

        {"advance": 60}
        """
        seconds = json_body().get("advance")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= 86_400:
            raise BadInputError("advance must be a number of seconds from 0 to 86400")
        world.ahead += seconds
        return jsonify(ahead=world.ahead)

    @app.delete("/clock")
    def reset_clock() -> Response:
        """Resets the vendors' clock."""
        world.ahead = 0.0
        return jsonify(ahead=world.ahead)

    @app.get("/webhooks")
    def webhooks() -> Response:
        """Lists the reports that the vendors sent, and how each was answered."""
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
