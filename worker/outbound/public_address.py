"""Which addresses belong to the public internet.

Sources: IANA's registries of special-purpose addresses
(https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry)
and of IPv6 address space: only 2000::/3 is global unicast. Python's own `is_global` changed between patch releases.
"""

from __future__ import annotations

import ipaddress

from configs.trusted_hosts import Address

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

# All entries of the registries, including "globally reachable" ones: no image is stored on an anycast relay.
SPECIAL_V4 = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata services of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host: a public address for a private service
        "169.254.0.0/16",  # link local, and the metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
SPECIAL_V6 = [  # within 2000::/3
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which has an IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]
# The last 64 bits of an ISATAP address before its IPv4 address (RFC 5214, section 6.1).
ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def is_public(address: Address) -> bool:
    """True if an address belongs to the public internet.

    An IPv6 address that contains an IPv4 address (6to4, Teredo, NAT64, SIIT, ISATAP) does not: a gateway of this
    network decides where its packets go. An IPv4-mapped address counts as its IPv4 address, because the kernel dials
    that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None or address not in GLOBAL_UNICAST:
            return False
        if int(address) >> 32 & 0xFFFF_FFFF in ISATAP:
            return False
        return not any(address in network for network in SPECIAL_V6)
    return not any(address in network for network in SPECIAL_V4)
