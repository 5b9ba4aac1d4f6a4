"""The simulated vendors, found by the list of names: `Simulator` in vendors/<name>/simulator.py each."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module

from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from simulators.faults import COMMON, Mode
from simulators.vendor import Vendor
from simulators.web import BadInputError


@cache
def simulator(name: str) -> type[Vendor]:
    """The simulator of one of NAMES."""
    found: type[Vendor] = import_module(f"vendors.{name}.simulator").Simulator
    return found


def provider_named(text: object) -> str:
    """One of NAMES, also where it is written as in a path: with dashes. Raises BadInputError."""
    name = text.replace("-", "_") if isinstance(text, str) else ""
    if name not in NAMES:
        raise BadInputError(f"provider must be one of {', '.join(NAMES)}")
    return name


def prefixes(name: str) -> list[str]:
    """Where a vendor is found."""
    return list(dict.fromkeys((name, name.replace("_", "-"))))


@cache
def fault_modes() -> Mapping[str, Mode]:
    """Every mode, with the names of the providers that can show it."""
    modes = {
        mode: replace(known, providers=tuple(name for name in NAMES if known.shown_by(manifest(name))))
        for mode, known in COMMON.items()
    }
    for name in NAMES:
        for mode, own in simulator(name).modes.items():
            modes[mode] = replace(own, providers=(*(modes[mode].providers if mode in modes else ()), name))
    return {mode: known for mode, known in modes.items() if known.providers}
