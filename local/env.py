"""The env file of a local stack: `export NAME=value` lines, for a shell, for tests and for our own tools."""

import shlex
from collections.abc import Mapping
from pathlib import Path


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
