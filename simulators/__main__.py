"""`python -m simulators --port 4600`: run until Ctrl-C or SIGTERM."""

import argparse
import logging
import signal
import sys

from werkzeug.serving import WSGIRequestHandler, make_server

from callverify.providers.names import NAMES
from simulators.app import create_app
from simulators.vendor import World


class QuietHandler(WSGIRequestHandler):
    """The app logs each request itself: the server's line would hold the whole path and query."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without a Date of the server's own: the app's is the vendors'."""
        self.send_response_only(code, message)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--log-file", help="default: standard error")
    arguments = parser.parse_args()

    logging.basicConfig(filename=arguments.log_file, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("simulators").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # its warnings name the URL of a webhook

    world = World()
    app = create_app(world)
    server = make_server(arguments.host, arguments.port, app, threaded=True, request_handler=QuietHandler)
    world.ports.open(NAMES, arguments.host, app, QuietHandler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    base_url = f"http://{arguments.host}:{server.server_port}"
    print(f"Simulators at {', '.join(f'{base_url}/{name}' for name in NAMES)}", flush=True)
    try:
        server.serve_forever()
    finally:
        world.stopping.set()


if __name__ == "__main__":
    main()
