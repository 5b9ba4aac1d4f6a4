"""Packages whose `__init__` imports far more than is used of them are entered without it: half of a cold start.

Their modules are whole, and are imported by name as ever. A name that somebody takes from the package itself is looked
up in the module that PACKAGES gives for it. To be imported before anything that imports one of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

PACKAGES: dict[str, dict[str, str]] = {
    # asyncio and GraphQL, for resolvers of other services.
    "aws_lambda_powertools.event_handler": {},
    # The events of forty services.
    "aws_lambda_powertools.utilities.data_classes": {
        "ALBEvent": "alb_event",
        "APIGatewayProxyEvent": "api_gateway_proxy_event",
        "APIGatewayProxyEventV2": "api_gateway_proxy_event",
        "BedrockAgentEvent": "bedrock_agent_event",
        "LambdaFunctionUrlEvent": "lambda_function_url_event",
        "VPCLatticeEvent": "vpc_lattice",
        "VPCLatticeEventV2": "vpc_lattice",
    },
    # boto3, for providers of other services.
    "aws_lambda_powertools.utilities.parameters": {},
    # Tables of encodings: requests asks for the version, and guesses an encoding for a `text` alone.
    "charset_normalizer": {"__version__": "version", "detect": "legacy"},
    # Short numbers, numbers in a text, numbers while they are typed.
    "phonenumbers": {},
    # importlib.metadata, for a switch that is not used.
    "urllib3.http2": {},
}


class _Nothing:
    """Runs no code of the package."""

    def __init__(self, homes: dict[str, str]) -> None:
        self._homes = homes

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        def look_up(name: str) -> Any:
            if name not in self._homes:
                raise AttributeError(f"{module.__name__} is entered without its __init__: no {name!r} (see {__name__})")
            return getattr(import_module(f"{module.__name__}.{self._homes[name]}"), name)

        module.__getattr__ = look_up  # type: ignore[method-assign]


class _Finder:
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec:
            spec.loader = _Nothing(PACKAGES[fullname])  # type: ignore[assignment]
        return spec


def install() -> None:
    sys.meta_path.insert(0, _Finder())
