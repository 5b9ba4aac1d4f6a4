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
    """What an env file says, by name. Raises ValueError for a line that is neither of write_env nor a comment."""
    env = {}
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeError:
        raise ValueError(f"{file}: not UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError:  # an open quote
            words = []
        match words:
            case ["export", pair] if "=" in pair:
                name, _, value = pair.partition("=")
                env[name] = value
            case _:
                raise ValueError(f"{file}, line {number}: not `export NAME=value`")
    return env
