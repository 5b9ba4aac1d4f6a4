"""Origins (RFC 6454) in the form in which browsers send them, so that they can be compared as text."""

from __future__ import annotations

import ipaddress
import re

_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(\[[0-9A-Fa-f:.]+\]|[^\s\x00-\x20/?#@:*,;\\%\[\]'\"|<>^{}`]+)(?::([0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"https": 443, "http": 80}
# What has no origin, or one that no page sends.
_NO_ORIGINS = frozenset({"null", "file", "data", "blob", "javascript", "about", "ftp", "ws", "wss"})


def normal_origin(text: str) -> str | None:
    """An origin as browsers write it: lower case, without the default port, names in ASCII (IDNA).

    None for what is no origin that a page can have here: https, http of this very machine, or an app's own scheme
    such as capacitor://localhost; with nothing behind host and port.
    """
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, port = found[1].lower(), int(found[3]) if found[3] else None
    if scheme in _NO_ORIGINS or (port is not None and not 0 < port < 65536):
        return None
    # The names of an app's own scheme are no domains.
    host = _normal_host(found[2]) if scheme in _DEFAULT_PORTS else found[2].lower()
    if host is None or (scheme == "http" and not _is_loopback(host)):
        return None
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS.get(scheme)) else f":{port}")


def _normal_host(host: str) -> str | None:
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        if host.rsplit(".", 1)[-1].isdecimal():
            return str(ipaddress.IPv4Address(host))
        if not host.isascii():
            # Imported here: names outside ASCII are rare.
            import idna

            host = idna.encode(host, uts46=True).decode()
    except ValueError:
        return None
    host = host.lower()
    return host if all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")) else None


def _is_loopback(host: str) -> bool:
    return re.fullmatch(r"\[::1\]|127(\.[0-9]+){3}|(.+\.)?localhost", host) is not None
