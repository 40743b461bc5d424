"""Which addresses may be connected to."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from opcode_core import NetworkPolicy

Address = IPv4Address | IPv6Address

# The services through which clouds tell a machine its credentials, as far as they do not lie in
# the link-local range: Alibaba, Azure, Oracle; and on IPv6 Amazon, Google, Scaleway.
_METADATA: Final = tuple(
    map(
        ip_network,
        (
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
            "fd00:42::42/128",
        ),
    )
)
# The names that clouds give them. Whatever these resolve to: nobody has another use for them.
_METADATA_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "metadata.platformequinix.com",
        "metadata.packet.net",
    }
)
_THIS_HOST: Final = ip_network("0.0.0.0/8")
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
# Private in effect, though `is_global` of some Python says otherwise.
_NOT_PUBLIC: Final = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "100.64.0.0/10", "2001::/23", "3fff::/20"))
)
_NAT64: Final = ip_network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is refused, and why."""

    network: NetworkPolicy

    def refusal_of_name(self, host: str) -> str | None:
        """Why that name may not even be looked up, or None when it may."""
        if host.rstrip(".").lower() in _METADATA_NAMES:
            return "a cloud's metadata service"
        return None

    def refusal(self, address: str, port: int) -> str | None:
        """Why that address may not be connected to, or None when it may."""
        for ip in _led_to(ip_address(address.partition("%")[0])):
            if why := self._refusal(ip, port):
                return why
        return None

    def _refusal(self, ip: Address, port: int) -> str | None:
        if any(ip in network for network in _METADATA):
            return "a cloud's metadata service"
        if ip.is_link_local:
            return "a link-local address, where clouds keep their metadata service"
        if ip.is_unspecified or ip in _THIS_HOST:
            return "an unspecified address"
        if ip.is_multicast or (ip.is_reserved and not ip.is_loopback):
            return "a multicast or reserved address"
        if _is_this_machine(ip) and self.network.is_own_port(port):
            return "this server's own port"
        if not self.network.allow_private and not _is_public(ip):
            return "a loopback or private address, and OPCODE_HTTP_ALLOW_PRIVATE is false"
        return None


def _led_to(ip: Address) -> Iterator[Address]:
    """Where packets for that address go: itself, or the IPv4 address that it holds, or both."""
    if isinstance(ip, IPv4Address):
        yield ip
        return
    low = IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.ipv4_mapped is not None or ip in _NAT64:
        yield low
        return
    yield ip
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo
    if (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low


def _is_public(ip: Address) -> bool:
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC)


def _is_this_machine(ip: Address) -> bool:
    if ip.is_loopback:
        return True
    # Only an address of this machine can be bound to.
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True
