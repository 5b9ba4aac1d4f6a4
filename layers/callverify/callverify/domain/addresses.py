"""Network addresses, as what they are counted by."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """What an address is counted as: an IPv4 address by itself (also when mapped into IPv6), IPv6 by its /64."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def network_block_of(network: str) -> str | None:
    """The /56 that an IPv6 network of `network_of` lies in, such as one line of a provider has; None for IPv4."""
    ip = ipaddress.ip_network(network)
    return str(ip.supernet(new_prefix=56)) if isinstance(ip, ipaddress.IPv6Network) else None
