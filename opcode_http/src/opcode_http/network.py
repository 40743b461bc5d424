"""Connecting, to addresses that were checked and to no others."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

from opcode_http.addresses import AddressPolicy
from opcode_http.errors import denied
from opcode_http.names import addresses_of

_TRY_NEXT_AFTER = 3.0
"""Seconds that an address may take to answer while there are others to try."""


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is cancelled, which the pool leaves open."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, checks every address that it has, and connects to one of just these.

    Were the name resolved again to connect, its owner could answer differently the second time.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            OpcodeError: PERMISSION_DENIED when any address of the host is refused, EXECUTION_ERROR
                when it has none.
        """
        if why := self._policy.refusal_of_name(host):
            raise denied(_refused(host, port, host, why), host=host, port=port)
        addresses = await addresses_of(host, port)
        for address in addresses:
            if why := self._policy.refusal(address, port):
                raise denied(_refused(host, port, address, why), host=host, port=port, address=address)
        *others, last = addresses
        for address in others:
            try:
                return _Stream(
                    await self._inner.connect_tcp(
                        address, port, _TRY_NEXT_AFTER, local_address, socket_options
                    )
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return _Stream(await self._inner.connect_tcp(last, port, timeout, local_address, socket_options))


def _refused(host: str, port: int, address: str, why: str) -> str:
    name = f"{host}:{port}" if host == address else f"{host}:{port} (which is {address})"
    return f"http.* may not connect to {name}: {why}"
