"""`make dev`: the whole service on this machine, in the foreground, until Ctrl-C."""

import argparse
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from local.processes import LocalStackError
from local.providers import told
from local.stack import Options, Stack, local_stack

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

FIRST_STEPS = """
  API         {base_url}   (AWS_PORT=…)
  documents   {base_url}/docs
  simulators  {simulator_url}   (SIMULATOR_PORT=…): lists every request and every fault, with bodies to copy
  receiver    {receiver_url}/events   (RECEIVER_PORT=…): lists the events that it received; also in {receiver_log}

In another terminal, `. {env}` exports all of these, and the keys. Start a verification:

  curl -sS {base_url}/verifications -H 'Authorization: Bearer {api_key}' \\
    -d '{{"phone": "+79000001234", "method": "reverse_call"}}'

Let that phone call the number in the reply's challenge:

  curl -sS {simulator_url}/phone/+79000001234/dial -d '{{"number": "+7…"}}'

Or use two browser windows:

  {simulator_url}/demo    starts a verification and shows the page for the user
  {simulator_url}/phone   is the user's telephone

Ctrl-C stops everything."""


class StopRequest(BaseException):
    """Somebody asked this process to stop."""


def request_stop(_signal: int, _frame: FrameType | None) -> None:
    for stop_signal in STOP_SIGNALS:  # stopping takes a few seconds, and must not be stopped
        signal.signal(stop_signal, signal.SIG_IGN)
    raise StopRequest


def stop_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def parse_options() -> Options:
    """From the command line, and of providers from the environment. Raises LocalStackError."""
    parser = argparse.ArgumentParser(prog="python -m local.dev", description=__doc__)
    parser.add_argument("--dev-dir", type=Path, default=Path(".dev"), help="holds the env file and the logs")
    parser.add_argument("--aws-port", type=int, default=4566)
    parser.add_argument("--simulator-port", type=int, default=4600)
    parser.add_argument("--receiver-port", type=int, default=4650)
    parser.add_argument(
        "--bind-host", default="127.0.0.1", help="0.0.0.0 to accept connections from containers on this machine"
    )
    parser.add_argument("--parameters", default="", help='template parameters: "LogLevel=DEBUG RetentionHours=1"')
    parser.add_argument("--built", type=Path, help="a folder made by `sam build`, to deploy without building")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="stop when the program that started this one ends"
    )
    chosen = parser.parse_args()
    if chosen.until_stdin_closes:
        threading.Thread(target=stop_with_stdin, daemon=True).start()
    if chosen.aws_port == chosen.simulator_port:
        parser.error("--aws-port and --simulator-port must be different")
    parameters = {}
    for pair in shlex.split(chosen.parameters):
        name, equals, value = pair.partition("=")
        if not equals:
            parser.error(f"--parameters: {pair!r} is not Name=value")
        parameters[name] = value
    return Options(
        directory=chosen.dev_dir,
        aws_port=chosen.aws_port,
        simulator_port=chosen.simulator_port,
        receiver_port=chosen.receiver_port,
        providers=told(os.environ),
        parameters=parameters,
        bind_host=chosen.bind_host,
        built=chosen.built,
    )


def announce(options: Options, stack: Stack) -> None:
    print(
        FIRST_STEPS.format(
            env=options.directory / "env",
            base_url=stack.env["BASE_URL"],
            api_key=stack.env["API_KEY"],
            simulator_url=stack.env["SIMULATOR_URL"],
            receiver_url=stack.env["RECEIVER_URL"],
            receiver_log=options.directory / "receiver.log",
        ),
        flush=True,
    )


def main() -> int:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, request_stop)
    try:
        options = parse_options()
        with local_stack(options, say) as stack:
            say("Ready.")
            announce(options, stack)
            while not (problem := stack.dead_process()):
                time.sleep(0.5)
            raise LocalStackError(problem)
    except StopRequest:
        say("Stopped.")
        return 0
    except LocalStackError as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
