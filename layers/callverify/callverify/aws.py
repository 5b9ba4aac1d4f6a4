"""AWS clients, made by botocore: boto3 would make the same ones, and takes as long to import as all of this package."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import botocore
from botocore import exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.session import Session, get_session

# What `make build` leaves of botocore's data for these services. Without it, botocore's own is read.
TRIMMED_DATA = Path(__file__).with_name("aws_data")
SERVICES = ("cognito-idp", "dynamodb", "events", "secretsmanager", "sqs")
# In AWS an answer takes milliseconds. What a silent service may cost has to fit into a function's time: beside the 8 s
# of vendors in the 15 s of a start, and twice into the authorizer's (decision 76).
CONNECT_SECONDS = 1.0
READ_SECONDS = 1.8
ATTEMPTS = 2
# botocore waits for up to 1 s before the second attempt.
LONGEST_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 1.0
# The embedded AWS is one process for everybody.
EMBEDDED_READ_SECONDS = 10.0
_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=EMBEDDED_READ_SECONDS if os.environ.get("AWS_ENDPOINT_URL") else READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    # The requests are ours, and AWS judges them anyway.
    parameter_validation=False,
    # Put together anew for each request otherwise, out of a dozen parts.
    user_agent=f"callverify Botocore/{botocore.__version__}",
    account_id_endpoint_mode="disabled",
    tcp_keepalive=True,
)
# How AWS's services say "too often", with status 400.
THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_clients: dict[str, Any] = {}
_making_one = Lock()


class _Loader(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
        """What is used here: looking for all that botocore has reads four hundred directories."""
        return list(SERVICES)


@cache
def _session() -> Session:
    session = get_session()
    trimmed = [str(TRIMMED_DATA)] if TRIMMED_DATA.is_dir() else []
    session.register_component("data_loader", _Loader(extra_search_paths=trimmed))
    return session


def client(service: str) -> Any:
    """The one client for one of SERVICES."""
    with _making_one:
        if service not in _clients:
            _clients[service] = _session().create_client(service, config=_CONFIG, verify=_authorities())
        return _clients[service]


def publisher_of_updates(host: str, seconds: float) -> Callable[[bytes], None]:
    """What sends a message to an AppSync Event API, signed, and waits for `seconds` at the most to connect and to read.

    botocore knows no such operation. Raises what botocore raises, and OSError for what is no success.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL")  # of the embedded AWS, which tells its APIs apart by the host
    options: Any = {"verify": _authorities() or True, "timeout": (seconds / 2, seconds / 2), "max_pool_connections": 1}
    http = URLLib3Session(**options)

    def publish(message: bytes) -> None:
        headers = {"Content-Type": "application/json", "Host": host}
        request = AWSRequest("POST", f"{endpoint or f'https://{host}'}/event", headers, message)
        credentials: Any = _session().get_credentials()
        SigV4Auth(credentials, "appsync", os.environ["AWS_REGION"]).add_auth(request)
        answer = http.send(request.prepare())
        if answer.status_code != 200 or json.loads(answer.content).get("failed"):
            raise OSError(f"AppSync answered {answer.status_code}")

    return publish


def is_busy(error: BaseException) -> bool:
    """Whether AWS throttled a request, failed at it (5xx), or gave no answer: the same request may succeed later.

    It may also have succeeded already, unless it was throttled.
    """
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return True
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response["Error"]["Code"] in THROTTLES
    return False


def before_a_snapshot() -> bool:
    """Whether this start-up is for a snapshot that containers will be restored from (SnapStart)."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def _authorities() -> str | None:
    """The roots of AWS's certificates: OpenSSL takes 46 ms to read all the world's, for each connection.

    Where others may be needed, what botocore takes: beside a bundle or an endpoint of the environment's, and in
    partitions apart. Decision 48.
    """
    roots = TRIMMED_DATA / "roots.pem"
    apart = os.environ.get("AWS_REGION", "").startswith(("cn-", "us-iso", "eu-iso", "eusc-"))
    told = any(name.startswith(("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL")) for name in os.environ)
    return None if apart or told or not roots.is_file() else str(roots)
