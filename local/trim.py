"""What a build leaves out of the layer, and the data of every cold start that it lays beside the package, cut to size.

All of it is for speed and size alone: a layer that was made by `sam build` works too (decision 47).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import certifi
from botocore.loaders import Loader
from OpenSSL import crypto

# Of the libraries, what nothing here imports. Most is Powertools' help for other services.
UNUSED = (
    "aws_lambda_powertools/event_handler/events_appsync",
    "aws_lambda_powertools/event_handler/graphql_appsync",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
    "aws_lambda_powertools/metrics/provider/datadog",
    "aws_lambda_powertools/utilities/auth_alpha",
    "aws_lambda_powertools/utilities/batch",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "phonenumbers/shortdata",
)
# The operations of AWS that are used; callverify/aws.py makes the clients.
OPERATIONS: Mapping[str, Sequence[str]] = {
    "cognito-idp": (
        "AdminDeleteUserAttributes",
        "AdminDisableProviderForUser",
        "AdminSetUserPassword",
        "AdminUpdateUserAttributes",
        "AdminUserGlobalSignOut",
    ),
    "dynamodb": (
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ),
    "events": ("PutEvents",),
    "secretsmanager": ("GetSecretValue",),
    "sqs": ("ChangeMessageVisibility", "SendMessage", "SendMessageBatch"),
}
# All that AWS's own certificates lead to (amazontrust.com/repository, seen 2026-11).
AMAZON_ROOTS = re.compile(r"Amazon Root CA [1-4]|Starfield Services Root Certificate Authority - G2")


def trim(libraries: Path) -> None:
    """Trim a built layer; `libraries` is its folder `python`. Raises FileNotFoundError when an UNUSED is not there."""
    for name in UNUSED:
        shutil.rmtree(libraries / name)
    package = libraries / "callverify"
    write_aws_data(package / "aws_data")
    write_authorities(package / "authorities")


def write_aws_data(folder: Path) -> None:
    """botocore's data for OPERATIONS, in botocore's own layout, and the roots of AWS's certificates."""
    loader = Loader()
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        model = loader.load_service_model(service, "service-2", version)
        _write(folder / service / version / "service-2.json", _model_of(operations, model))
    endpoints = loader.load_data("endpoints")
    for partition in endpoints["partitions"]:
        partition["services"] = {name: partition["services"].get(name, {"endpoints": {}}) for name in OPERATIONS}
    _write(folder / "endpoints.json", endpoints)
    roots = [pem for label, pem in _certificates() if AMAZON_ROOTS.fullmatch(label)]
    (folder / "roots.pem").write_text("".join(roots))


def write_authorities(folder: Path) -> None:
    """certifi's authorities, one to a file, under the names by which OpenSSL looks them up (c_rehash)."""
    folder.mkdir()
    for _, pem in _certificates():
        name = f"{crypto.load_certificate(crypto.FILETYPE_PEM, pem.encode()).subject_name_hash():08x}"
        (folder / f"{name}.{len(list(folder.glob(f'{name}.*')))}").write_text(pem)


def _model_of(operations: Sequence[str], model: Mapping[str, Any]) -> Any:
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    wanted = list(_shapes_in(kept))
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_in(shapes[name])
    return _without_unread({**model, "operations": kept, "shapes": shapes})


def _shapes_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for member in value.values():
            yield from _shapes_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _shapes_in(member)


def _without_unread(value: Any) -> Any:
    """Without documentation, and without what endpoints that name an account would be found by, at every request."""
    if isinstance(value, dict):
        return {
            name: _without_unread(member)
            for name, member in value.items()
            if name != "operationContextParams" and (name != "documentation" or not isinstance(member, str))
        }
    return [_without_unread(member) for member in value] if isinstance(value, list) else value


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")))


def _certificates() -> Iterator[tuple[str, str]]:
    """(label, PEM) of each of certifi's authorities."""
    for match in re.finditer(
        r'^# Label: "(?P<label>.+?)"$.+?^(?P<pem>-----BEGIN CERTIFICATE-----$.+?^-----END CERTIFICATE-----\n)',
        certifi.contents(),
        re.DOTALL | re.MULTILINE,
    ):
        yield match["label"], match["pem"]
