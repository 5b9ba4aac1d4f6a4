"""The whole service on this machine, from its build to `env`, the file that says where everything is."""

import base64
import fcntl
import hashlib
import json
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from local.aws import STACK_NAME, EmbeddedAws
from local.build import ROOT, build, host_architecture
from local.containers import VARIABLES_FILE, write_variables
from local.logs import LogTail
from local.processes import HOST, LocalStackError, require_free_port, running
from simulators import accounts

ROUTES_SECONDS = 60
# A request for each route that starts nothing.
ROUTES = [
    ("POST", "/verifications"),
    ("GET", "/events"),
    ("GET", "/verifications/none"),
    ("POST", "/verifications/none/check"),
    ("POST", "/verifications/none/repeat"),
    ("POST", "/verifications/none/cancel"),
    ("GET", "/webhooks/telefon-ip/none/none"),
    ("POST", "/webhooks/telefon-ip/none/none"),
    ("GET", "/webhooks/smsc/none"),
    ("POST", "/webhooks/smsc/none"),
    ("GET", "/page"),
    ("GET", "/page/style.css"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
]
# Behind the stream and the queues, where no route leads to.
OPEN_ROUTES = ("/webhooks", "/page", "/openapi.json", "/docs")
BACKGROUND_FUNCTIONS = [
    "ScheduleSettlementFunction",
    "SettleVerificationFunction",
    "PublishEventFunction",
    "DeliverEventFunction",
]


@dataclass(frozen=True)
class Options:
    """What can be chosen about a local stack.

    `base_urls` and `parameters` are by template parameter; a provider without a base URL is a simulator. `bind_host`:
    whose requests the servers take; containers of this machine need 0.0.0.0.
    """

    directory: Path
    aws_port: int
    simulator_port: int
    receiver_port: int
    base_urls: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    bind_host: str = HOST


@dataclass(frozen=True)
class Stack:
    """A stack that runs: what its env file says, and a question to ask while waiting."""

    env: Mapping[str, str]
    dead_process: Callable[[], str | None]


@contextmanager
def local_stack(options: Options, say: Callable[[str], None]) -> Iterator[Stack]:
    """Bring the service up, yield it, and take all of it down again. Raises LocalStackError where it cannot run."""
    directory = options.directory.resolve()
    env_file = directory / "env"
    require_free_port(options.aws_port, "the embedded AWS", "AWS_PORT")
    require_free_port(options.simulator_port, "the simulators", "SIMULATOR_PORT")
    require_free_port(options.receiver_port, "the receiver of events", "RECEIVER_PORT")
    with ExitStack() as stack:
        stack.enter_context(_own(directory))
        aws = EmbeddedAws(options.aws_port, options.bind_host)

        say(
            f"Starting the embedded AWS (port {options.aws_port}), the simulators ({options.simulator_port}) "
            f"and the receiver of events ({options.receiver_port}) …"
        )
        stack.enter_context(aws.running(directory))
        simulators = f"http://{HOST}:{options.simulator_port}"
        simulator_command = [sys.executable, "-m", "simulators", *_listen(options, options.simulator_port)]
        simulator = stack.enter_context(
            running(simulator_command, env={"LANG": "C.UTF-8"}, cwd=ROOT, log=directory / "simulators.log"),
        )

        receiver_url = f"http://{HOST}:{options.receiver_port}"
        signing_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        receiver = stack.enter_context(
            running(
                [sys.executable, "-m", "local.receiver", *_listen(options, options.receiver_port)],
                env={"LANG": "C.UTF-8", "EVENT_SIGNING_SECRET": signing_secret},
                cwd=ROOT,
                log=directory / "receiver.log",
            ),
        )

        say("Building with `sam build` (the first time, half a minute) …")
        parameters = {
            "Architecture": host_architecture(),
            "PublicBaseUrl": aws.base_url,
            # So that a secret put by hand is felt at once.
            "SecretCacheSeconds": "1",
            "UcallerBaseUrl": f"{simulators}/ucaller",
            "TelefonIpBaseUrl": f"{simulators}/telefon-ip",
            "SmscBaseUrl": f"{simulators}/smsc",
            "EventWebhookUrl": f"{receiver_url}/events",
            "AllowPrivateEventUrl": "true",
            "EventRetryBaseSeconds": "1",
            **options.base_urls,
            **options.parameters,
        }
        built = directory / "build"
        build(["--parameter-overrides", f"Architecture={parameters['Architecture']}"], copy_to=built)

        say("Deploying with `sam deploy` (half a minute) …")
        aws.wait()
        aws.deploy(built, parameters, directory / "deploy.log")
        log_file = directory / "functions.log"
        tail = LogTail(aws.logs, f"/aws/lambda/{STACK_NAME}/", log_file)
        tail.start()
        stack.callback(tail.stop)

        say("Writing API keys and the providers' credentials …")
        env = {
            "BASE_URL": aws.base_url,
            "API_KEY": f"cv_live_{secrets.token_urlsafe(32)}",
            "TEST_API_KEY": f"cv_test_{secrets.token_urlsafe(32)}",
            "SIMULATOR_URL": simulators,
            "TABLE_NAME": aws.output("TableName"),
            **_connect_smsc(aws, simulators),
            "LOG_FILE": str(log_file),
            "RECEIVER_URL": receiver_url,
            "EVENT_SIGNING_SECRET": signing_secret,
            "STACK_NAME": STACK_NAME,
            "API_KEYS_SECRET": aws.output("ApiKeysSecret"),
            "PROVIDER_CREDENTIALS_SECRET": aws.output("ProviderCredentialsSecret"),
            **aws.environment,
        }
        _write_api_keys(aws, env)
        service = {"base_url": env["BASE_URL"], "api_key": env["API_KEY"]}
        requests.put(f"{simulators}/demo/service", json=service, timeout=5).raise_for_status()
        aws.secrets_manager.put_secret_value(
            SecretId=f"{STACK_NAME}/event-signing", SecretString=json.dumps([signing_secret])
        )

        say("Waiting for every route to answer …")
        _wait_for_routes(aws.base_url, env["API_KEY"], log_file)
        aws.warm(BACKGROUND_FUNCTIONS)
        stack.callback(env_file.unlink, missing_ok=True)
        write_variables(directory / VARIABLES_FILE, aws, parameters, env)
        stack.callback((directory / VARIABLES_FILE).unlink, missing_ok=True)
        write_env(env_file, env)

        def dead_process() -> str | None:
            if not aws.is_alive():
                return f"the embedded AWS ended: see {directory / 'aws.log'}"
            if simulator.poll() is not None:
                return f"the simulators ended: see {directory / 'simulators.log'}"
            if receiver.poll() is not None:
                return f"the receiver of events ended: see {directory / 'receiver.log'}"
            return None

        stack.callback(say, "Stopping …")
        yield Stack(env, dead_process)


def write_env(file: Path, env: Mapping[str, str]) -> None:
    """Write `export NAME=value` lines for a shell to read, all at once: by renaming `<file>.partial`."""
    partial = file.with_name(f"{file.name}.partial")
    partial.touch(0o600)
    partial.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))
    partial.rename(file)


def read_env(file: Path) -> dict[str, str]:
    """What an env file says, by name. Raises ValueError for a line that write_env does not write."""
    env = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match shlex.split(line):
            case ["export", pair] if "=" in pair:
                name, _, value = pair.partition("=")
                env[name] = value
            case _:
                raise ValueError(f"{file}, line {number}: not `export NAME=value`")
    return env


def _listen(options: Options, port: int) -> list[str]:
    return ["--host", options.bind_host, "--port", str(port)]


@contextmanager
def _own(directory: Path) -> Iterator[None]:
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
            _clear(directory)


def _clear(directory: Path) -> None:
    for name in ("env", "env.partial"):
        (directory / name).unlink(missing_ok=True)
    for name in ("tmp", "build"):
        shutil.rmtree(directory / name, ignore_errors=True)


def _connect_smsc(aws: EmbeddedAws, simulators: str) -> dict[str, str]:
    """Write every provider's credentials; tell SMSC's cabinet its handler, as an operator would."""
    webhook_token, callback_secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    webhook_url = f"{aws.base_url}/webhooks/smsc/{webhook_token}"
    credentials = {
        "ucaller": {"key": accounts.UCALLER_KEY, "service_id": accounts.UCALLER_SERVICE_ID},
        "telefon_ip": {"token": accounts.TELEFON_IP_TOKEN},
        "smsc": {
            "login": accounts.SMSC_LOGIN,
            "psw": accounts.SMSC_PASSWORD,
            "callback_secret": callback_secret,
            "webhook_token": webhook_token,
        },
    }
    aws.secrets_manager.put_secret_value(
        SecretId=f"{STACK_NAME}/provider-credentials", SecretString=json.dumps(credentials)
    )
    cabinet = {"handler_url": webhook_url, "callback_secret": callback_secret}
    requests.post(f"{simulators}/smsc/cabinet", json=cabinet, timeout=5).raise_for_status()
    return {"SMSC_WEBHOOK_URL": webhook_url, "SMSC_CALLBACK_SECRET": callback_secret}


def _write_api_keys(aws: EmbeddedAws, env: Mapping[str, str]) -> None:
    keys = [
        {
            "name": f"local {mode}",
            "sha256": hashlib.sha256(env[name].encode()).hexdigest(),
            "scopes": ["verifications:read", "verifications:write"],
            "mode": mode,
        }
        for name, mode in (("API_KEY", "live"), ("TEST_API_KEY", "test"))
    ]
    aws.secrets_manager.put_secret_value(SecretId=f"{STACK_NAME}/api-keys", SecretString=json.dumps(keys))


def _wait_for_routes(base_url: str, api_key: str, log_file: Path) -> None:
    """Wait for an answer of a function on every route, so that each function has a warm container.

    Raises LocalStackError, which leads to `log_file`, where one does not come.
    """
    deadline = time.monotonic() + ROUTES_SECONDS

    def wait(route: tuple[str, str]) -> None:
        method, path = route
        answer = "no answer"
        while time.monotonic() < deadline:
            try:
                response = requests.request(
                    method,
                    base_url + path,
                    data="{}" if method == "POST" else None,
                    headers=None if path.startswith(OPEN_ROUTES) else {"Authorization": f"Bearer {api_key}"},
                    timeout=30,
                )
            except requests.RequestException as error:
                answer = str(error)
            else:
                # The gateway's own refusals name an error type; whatever a function says below 500 will do.
                if response.status_code < 500 and "x-amzn-ErrorType" not in response.headers:
                    return
                answer = f"{response.status_code} {response.text[:300]}"
            time.sleep(0.5)
        raise LocalStackError(f"{method} {path} does not work: {answer}\nWhat the functions log is in {log_file}")

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(wait, ROUTES))
