"""The real executable `callverify`, run as an operator runs it, and the arguments that each of its commands needs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping

import click

from cli.__main__ import callverify as root
from local.build import ROOT

CALLVERIFY = ROOT / ".venv" / "bin" / "callverify"
SECONDS = 600
NO_ID = "vrf_00000000000000000000000000"
# What each command needs besides its options: every command is here.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "start": ("+79000000103",),
    "show": (NO_ID,),
    "check": (NO_ID, "0000"),
    "cancel": (NO_ID,),
    "history": (NO_ID,),
    "search": ("--reference", "order", "--test"),
    "usage": (),
    "erase": (NO_ID,),
    "block": ("+79000000103", "--test"),
    "unblock": ("+79000000103", "--test"),
    "listen": ("--count", "1"),
    "trigger": ("verification.created",),
    "api-key create": ("shop",),
    "api-key revoke": ("shop",),
    "api-key list": (),
    "paid-calls stop": (),
    "paid-calls resume": (),
    "secrets set": ("provider-credentials",),
    "doctor": (),
    "redrive": ("events",),
    "dashboard": (),
    "deploy": ("--yes", "--no-build", "--stack", "shop"),
    "restore": (),
    "destroy": ("--stack", "shop"),
    "completion": ("bash",),
}
# Those that ask the service's own API alone.
OF_THE_API = {
    *(
        "start",
        "show",
        "check",
        "cancel",
        "history",
        "search",
        "usage",
        "erase",
        "block",
        "unblock",
        "listen",
        "trigger",
    )
}


def commands(group: click.Group = root, *above: str) -> Iterator[str]:
    """The words of every command that is no group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, *above, name)
        else:
            yield " ".join((*above, name))


def callverify(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with `env` alone as its environment where one is given."""
    return subprocess.run(
        [CALLVERIFY, *arguments], input=stdin, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
