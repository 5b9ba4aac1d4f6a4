"""The whole service on this machine, from its build to `env`, the file that says where everything is."""

import base64
import fcntl
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from callverify.domain.words import Mode, Scope
from local import providers
from local.aws import STACK_NAME, EmbeddedAws
from local.build import ROOT, build_for, host_architecture, with_layer
from local.containers import VARIABLES_FILE, write_variables
from local.env import write_env
from local.logs import LogTail
from local.processes import HOST, LocalStackError, require_free_port, running
from local.template import Route, background_functions, routes

ROUTE_SECONDS = 60  # since another route has answered


@dataclass(frozen=True)
class Options:
    """What can be chosen about a local stack.

    `parameters` are the template's, by name; `providers` is merged into the providers' credentials. `bind_host`: whose
    requests the servers take; containers of this machine need 0.0.0.0. `built`: a folder of what `sam build` made; None
    to build now.
    """

    directory: Path
    aws_port: int
    simulator_port: int
    receiver_port: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, Any] = field(default_factory=dict)
    bind_host: str = HOST
    built: Path | None = None

    @property
    def simulators(self) -> str:
        return f"http://{HOST}:{self.simulator_port}"

    @property
    def receiver(self) -> str:
        return f"http://{HOST}:{self.receiver_port}"


@dataclass(frozen=True)
class Stack:
    """A stack that runs: what its env file says, and a question to ask while waiting."""

    env: Mapping[str, str]
    dead_process: Callable[[], str | None]


@contextmanager
def local_stack(options: Options, say: Callable[[str], None]) -> Iterator[Stack]:
    """Bring the service up, yield it, and take all of it down again. Raises LocalStackError where it cannot run."""
    directory = options.directory.resolve()
    require_free_port(options.aws_port, "the embedded AWS", "AWS_PORT")
    require_free_port(options.simulator_port, "the simulators", "SIMULATOR_PORT")
    require_free_port(options.receiver_port, "the receiver of events", "RECEIVER_PORT")
    credentials = providers.credentials(options.simulators, options.providers)
    signing_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with ExitStack() as stack:
        stack.enter_context(_own(directory, say))
        aws = EmbeddedAws(options.aws_port, options.bind_host)

        say(
            f"Starting the embedded AWS (port {options.aws_port}), the simulators ({options.simulator_port}) "
            f"and the receiver of events ({options.receiver_port}) …"
        )
        stack.enter_context(aws.running(directory))
        signed = {"EVENT_SIGNING_SECRET": signing_secret}
        servers = {
            "the simulators": _server(stack, options, "simulators", options.simulator_port),
            "the receiver of events": _server(stack, options, "local.receiver", options.receiver_port, signed),
        }
        template = _deploy(aws, options, say)
        tail = LogTail(aws.logs, f"/aws/lambda/{STACK_NAME}/", directory / "functions.log")
        tail.start()
        stack.callback(tail.stop)

        say("Writing API keys and the providers' credentials …")
        credentials = providers.at_own_ports(options.simulators, credentials)
        env = _env(aws, options, credentials) | signed
        _write_secrets(aws, env, credentials)
        providers.fill_cabinets(options.simulators, credentials, aws.base_url)
        shop = {"base_url": env["BASE_URL"], "api_key": env["API_KEY"]}
        requests.put(f"{options.simulators}/demo/service", json=shop, timeout=30).raise_for_status()

        say("Waiting for every route to answer (half a minute) …")
        _wait_for_routes(routes(template), aws.base_url, env["API_KEY"], directory / "functions.log")
        aws.warm(background_functions(template))
        stack.callback((directory / "env").unlink, missing_ok=True)
        write_variables(directory / VARIABLES_FILE, aws)
        stack.callback((directory / VARIABLES_FILE).unlink, missing_ok=True)
        write_env(directory / "env", env)

        def dead_process() -> str | None:
            dead = [] if aws.is_alive() else ["the embedded AWS"]
            dead += [name for name, process in servers.items() if process.poll() is not None]
            return f"{dead[0]} ended: see the logs in {directory}" if dead else None

        stack.callback(say, "Stopping …")
        yield Stack(env, dead_process)


def _server(
    stack: ExitStack, options: Options, module: str, port: int, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Run a module of this repository that serves a port, until the stack ends."""
    return stack.enter_context(
        running(
            [sys.executable, "-m", module, "--host", options.bind_host, "--port", str(port)],
            env={"LANG": "C.UTF-8", **with_layer(), **(env or {})},
            cwd=ROOT,
            log=options.directory.resolve() / f"{module.rpartition('.')[2]}.log",
        )
    )


def _deploy(aws: EmbeddedAws, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Build and deploy; returns the built template."""
    directory = options.directory.resolve()
    parameters = {
        "Architecture": host_architecture(),
        "PublicBaseUrl": aws.base_url,
        # So that a secret put by hand is felt at once.
        "SecretCacheSeconds": "1",
        "EventWebhookUrl": f"{options.receiver}/events",
        "AllowPrivateEventUrl": "true",
        "EventRetryBaseSeconds": "1",
        **options.parameters,
    }
    if options.built:
        shutil.copytree(options.built, directory / "build")
    else:
        say("Building with `sam build` (the first time, half a minute) …")
        build_for(parameters["Architecture"], directory / "build")
    say("Deploying with `sam deploy` (half a minute) …")
    aws.wait()
    aws.deploy(directory / "build", parameters, directory / "deploy.log")
    template: dict[str, Any] = yaml.safe_load((directory / "build" / "template.yaml").read_text())
    return template


def _env(aws: EmbeddedAws, options: Options, credentials: Mapping[str, Any]) -> dict[str, str]:
    return {
        "BASE_URL": aws.base_url,
        "API_KEY": f"cv_live_{secrets.token_urlsafe(32)}",
        "TEST_API_KEY": f"cv_test_{secrets.token_urlsafe(32)}",
        "SIMULATOR_URL": options.simulators,
        "TABLE_NAME": aws.output("TableName"),
        "INDEX_TABLE_NAME": aws.output("IndexTableName"),
        **providers.environment(credentials, aws.base_url),
        "LOG_FILE": str(options.directory.resolve() / "functions.log"),
        "RECEIVER_URL": options.receiver,
        "STACK_NAME": STACK_NAME,
        "API_KEYS_SECRET": aws.output("ApiKeysSecret"),
        "PROVIDER_CREDENTIALS_SECRET": aws.output("ProviderCredentialsSecret"),
        **aws.environment,
    }


def _write_secrets(aws: EmbeddedAws, env: Mapping[str, str], credentials: Mapping[str, Any]) -> None:
    keys = [
        {
            "name": f"local {mode}",
            "sha256": hashlib.sha256(env[name].encode()).hexdigest(),
            "scopes": [*Scope],
            "mode": mode,
        }
        for name, mode in (("API_KEY", Mode.LIVE), ("TEST_API_KEY", Mode.TEST))
    ]
    values = {
        "api-keys": keys,
        "provider-credentials": credentials,
        "event-signing": [env["EVENT_SIGNING_SECRET"]],
    }
    for name, value in values.items():
        aws.secrets_manager.put_secret_value(SecretId=f"{STACK_NAME}/{name}", SecretString=json.dumps(value))


@contextmanager
def _own(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Keep `directory` for this process; afterwards leave nothing in it but logs."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalStackError(
                f"a local stack already runs in {directory}: stop it with Ctrl-C, "
                "or choose another folder with DEV_DIR=…"
            ) from error
        _clear(directory)
        try:
            yield
        finally:
            say("Removing temporary files …")
            _clear(directory)


def _clear(directory: Path) -> None:
    for name in ("env", "env.partial"):
        (directory / name).unlink(missing_ok=True)
    for name in ("tmp", "build"):
        shutil.rmtree(directory / name, ignore_errors=True)


def _authorization(route: Route, api_key: str) -> str:
    """As the route takes it: the SDKs' own wants an account's SID before the key."""
    if not route.path.startswith("/twilio/"):
        return f"Bearer {api_key}"
    return "Basic " + base64.b64encode(f"AC{'0' * 32}:{api_key}".encode()).decode()


def _wait_for_routes(wanted: list[Route], base_url: str, api_key: str, log_file: Path) -> None:
    """Wait for an answer of a function on every route, so that each function has a warm container.

    Raises LocalStackError, which leads to `log_file`, where none more has answered for a while.
    """
    answered = time.monotonic()

    def wait(route: Route) -> None:
        nonlocal answered
        answer = "no answer"
        while time.monotonic() < answered + ROUTE_SECONDS:
            try:
                response = requests.request(
                    route.method,
                    base_url + route.path,
                    data="{}" if route.method == "POST" else None,
                    headers=None if route.is_open else {"Authorization": _authorization(route, api_key)},
                    timeout=30,
                )
            except requests.RequestException as error:
                answer = str(error)
            else:
                # The gateway's own refusals name an error type; whatever a function says below 500 will do.
                if response.status_code < 500 and "x-amzn-ErrorType" not in response.headers:
                    answered = time.monotonic()
                    return
                answer = f"{response.status_code} {response.text[:300]}"
            time.sleep(0.5)
        raise LocalStackError(
            f"{route.method} {route.path} does not work: {answer}\nWhat the functions log is in {log_file}"
        )

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(wait, wanted))
