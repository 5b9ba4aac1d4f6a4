"""Packages whose `__init__` imports far more than is used of them are entered without it: half of a cold start.

Decision 46. Their modules are whole, and are imported by name as ever. A name that somebody takes from the package
itself is looked up in the module that PACKAGES gives for it; any other has the `__init__` run after all. To be
installed before anything imports one of them.
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


class _Later:
    """Runs a package's `__init__` when it is asked for a name that is found nowhere else."""

    def __init__(self, loader: Any, homes: dict[str, str]) -> None:
        self._loader = loader
        self._homes = homes

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__

        def look_up(name: str) -> Any:
            if name in self._homes:
                return getattr(import_module(f"{package}.{self._homes[name]}"), name)
            if PathFinder.find_spec(f"{package}.{name}", module.__path__):
                return import_module(f"{package}.{name}")
            if name.startswith("__"):
                raise AttributeError(name)
            del module.__getattr__
            self._loader.exec_module(module)
            return getattr(module, name)

        module.__getattr__ = look_up  # type: ignore[method-assign]


class _Finder:
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec:
            spec.loader = _Later(spec.loader, PACKAGES[fullname])  # type: ignore[assignment]
        return spec


def install() -> None:
    sys.meta_path.insert(0, _Finder())
