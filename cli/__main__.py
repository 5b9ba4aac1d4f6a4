"""`callverify`: one command for a stack, on this machine or in AWS. local/install.py puts it into .venv/bin."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import signal
import sys
import threading
from importlib import import_module

import click

from cli.errors import Refused, explain

# Each in the module that it is imported from when it is asked for.
COMMANDS = {
    "start": "verifications",
    "show": "verifications",
    "check": "verifications",
    "cancel": "verifications",
    "history": "verifications",
    "search": "records",
    "usage": "records",
    "erase": "records",
    "block": "records",
    "unblock": "records",
    "listen": "listen",
    "trigger": "trigger",
    "api-key": "api_keys",
    "secrets": "credentials",
    "paid-calls": "paid_calls",
    "doctor": "doctor.command",
    "redrive": "redrive",
    "dashboard": "dashboard",
    "deploy": "deploy",
    "restore": "restore",
    "destroy": "destroy",
    "completion": "completion",
}
USAGE, STOPPED = 2, 130
AGAIN_SECONDS = 0.05
SHOWN, DIGITS_OF_A_PHONE = 40, 9


class Commands(click.Group):
    """Commands that are imported only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"cli.{COMMANDS[cmd_name]}"), cmd_name.replace("-", "_"))
        return found


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def callverify() -> None:
    """Deploy, watch and maintain callverify.

    Without --stack, a command works on the local stack of `make dev`.

    \b
    Example:
      callverify start +79000001237
    """


def _as_json_would(error: UnicodeError) -> tuple[str, int]:
    """A character that an encoding lacks, in ASCII: right in text and in JSON alike."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _prepare() -> None:
    """No character and no stream that is closed ends a command."""
    codecs.register_error("as-json", _as_json_would)
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "as-json"), (sys.stderr, "as-json")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Say nothing of what Ctrl-C cut short in its making, which complains as it is taken down. A Ctrl-C that falls into
    that itself is dropped by Python: it is sent again."""
    if lost.exc_type is KeyboardInterrupt:
        again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()


def _without_secrets(says: str, given: list[str]) -> str:
    """What was typed is named by its beginning, where it may be a credential or is a phone."""
    for word in given:
        if len(word) > SHOWN or sum(map(str.isdecimal, word)) >= DIGITS_OF_A_PHONE:
            says = says.replace(word, f"{word[:6]}…").replace(repr(word)[1:-1], f"{word[:6]}…")
    return says


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; what goes wrong is said in a sentence, on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given

    def fail(says: str, code: int) -> int:
        says = re.sub(r"\s+", " ", says).strip()
        text = json.dumps({"error": says}, ensure_ascii=False) if as_json else f"Error: {says}"
        click.echo(text, err=True)
        return code

    _prepare()
    sys.unraisablehook = _unraisable
    try:
        code = callverify.main(given, prog_name="callverify", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return fail(Refused.stopped, STOPPED)
    except click.UsageError as error:
        hint = f". See `{error.ctx.command_path} --help`." if error.ctx else ""
        return fail(_without_secrets(error.format_message(), given).rstrip(".") + hint, USAGE)
    except click.ClickException as error:
        return fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # its reader has gone: nothing to say, and to nobody
        return 1
    except Exception as error:
        return fail(explain(error), 1)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
