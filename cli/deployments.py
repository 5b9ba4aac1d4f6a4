"""What was chosen about each stack: the file that `deploy` writes, in which no default stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import tomlkit
from tomlkit.exceptions import TOMLKitError

from cli.errors import Refused
from cli.parameters import text
from local.build import ROOT

VARIABLE = "CALLVERIFY_DEPLOYMENTS"
HEAD = "What `callverify deploy` was told about each stack: only what differs from the template's defaults."


@dataclass(frozen=True)
class Deployment:
    """What was chosen about one stack. `parameters`: those of the template that differ from its defaults."""

    name: str
    region: str | None
    parameters: Mapping[str, str]

    def with_parameters(self, changed: Mapping[str, str]) -> Self:
        return replace(self, parameters={**self.parameters, **changed})


class Deployments:
    """The file, callverify.toml in the clone, or the one that the variable CALLVERIFY_DEPLOYMENTS names."""

    def __init__(self, file: Path, document: tomlkit.TOMLDocument) -> None:
        self.file = file
        self._document = document

    @classmethod
    def read(cls) -> Self:
        """Raises Refused for a file that can't be read, or is no TOML."""
        file = Path(os.environ.get(VARIABLE) or ROOT / "callverify.toml")
        try:
            return cls(file, tomlkit.parse(file.read_text()))
        except FileNotFoundError:
            document = tomlkit.document()
            document.add(tomlkit.comment(HEAD))
            return cls(file, document)
        except (OSError, UnicodeError, TOMLKitError) as error:
            raise Refused(f"{file} can't be read as TOML: {error}. {VARIABLE} names this file") from None

    @property
    def names(self) -> list[str]:
        return list(self._document)

    def get(self, name: str) -> Deployment | None:
        """Raises Refused for an entry that says something else."""
        given: Any = self._document.unwrap().get(name)
        if given is None:
            return None
        known = isinstance(given, dict) and not given.keys() - {"region", "parameters"}
        if known and isinstance(given.get("parameters", {}), dict) and isinstance(given.get("region", ""), str):
            parameters = {key: text(value) for key, value in given.get("parameters", {}).items()}
            return Deployment(name, given.get("region"), parameters)
        raise Refused(f"{self.file}, [{name}]: it holds the text `region` and the table `parameters`, and nothing else")

    def region(self, name: str) -> str | None:
        found = self.get(name)
        return found.region if found else None

    def put(self, deployment: Deployment) -> None:
        """Write one stack's; what is said about others, and comments, stay."""
        entry = tomlkit.table()
        if deployment.region:
            entry["region"] = deployment.region
        entry["parameters"] = dict(deployment.parameters)
        self._document[deployment.name] = entry
        self._write()

    def remove(self, name: str) -> None:
        if name in self._document:
            del self._document[name]
            self._write()

    def _write(self) -> None:
        partial = self.file.with_name(f"{self.file.name}.partial")
        partial.write_text(tomlkit.dumps(self._document))
        partial.rename(self.file)
