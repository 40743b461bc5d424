import socket

import pytest

from opcode_core import ErrorCode, NetworkPolicy
from opcode_http import names
from opcode_http.addresses import AddressPolicy

METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "[fd00:ec2::254]", "[fd20:ce::254]"]


@pytest.mark.parametrize(
    "host",
    [
        *METADATA,
        "169.254.0.1",
        "[fe80::1]",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "2852039166",
        "0xa9fea9fe",
        "0",
    ],
)
async def test_refused_addresses_in_every_spelling(error_of, host):
    error = await error_of(url=f"http://{host}/", timeout=5)
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert error.message.startswith(f"http.* may not connect to {host.strip('[]')}:80")
    assert not error.retryable


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_is_allowed_by_default(http, server, host):
    server.answer("/", b"here")
    assert (await http(url=f"http://{host}:{server.port}"))["body"] == "here"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.1.1", "172.16.0.1", "[::1]", "[fd12::1]", "100.64.0.1"],
)
async def test_private_addresses_can_be_switched_off(error_of, monkeypatch, host):
    monkeypatch.setenv("OPCODE_HTTP_ALLOW_PRIVATE", "false")
    error = await error_of(url=f"http://{host}:9/", timeout=5)
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert "a loopback or private address, and OPCODE_HTTP_ALLOW_PRIVATE is false" in error.message


def test_public_addresses_stay_allowed_when_private_ones_are_not():
    policy = AddressPolicy(NetworkPolicy(allow_private=False))
    assert policy.refusal("93.184.215.14", 443) is None
    assert policy.refusal("2606:2800:21f::1", 443) is None


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", "0.0.0.0:{}", ":{}", "[::]:{}"])
async def test_the_servers_own_port_is_refused(error_of, server, monkeypatch, listen):
    monkeypatch.setenv("OPCODE_LISTEN_ADDR", listen.format(server.port))
    error = await error_of(url=f"http://localhost:{server.port}/")
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert "this server's own port" in error.message
    assert server.received == []


async def test_the_own_port_is_refused_on_every_address_of_this_machine():
    policy = AddressPolicy(NetworkPolicy(own_ports=frozenset({4100})))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))  # sends nothing; only chooses the outgoing address
        except OSError:
            pytest.skip("this machine has no network but loopback")
        own = probe.getsockname()[0]
    assert policy.refusal(own, 4100) == "this server's own port"
    assert policy.refusal(own, 4101) is None
    assert policy.refusal("203.0.113.1", 4100) is None
    assert policy.refusal("127.8.8.8", 4100) == "this server's own port"


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("", True),
        ("true", True),
        ("1", True),
        ("FALSE", False),
        ("0", False),
        ("off", False),
        ("flase", False),
    ],
)
def test_the_setting_fails_closed(value, allowed):
    assert NetworkPolicy.from_environment({"OPCODE_HTTP_ALLOW_PRIVATE": value}).allow_private is allowed


def resolving_to(monkeypatch, *answers: list[str]):
    """Let the name `rebind.test` have these addresses, the next ones at each look-up."""
    given = iter(answers)

    def look_up(host, port, **options):
        if host != "rebind.test":
            return socket.getaddrinfo(host, port, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(given)]

    monkeypatch.setattr(names, "look_up", look_up)


async def test_a_name_with_one_refused_address_is_refused(error_of, server, monkeypatch):
    resolving_to(monkeypatch, ["127.0.0.1", "169.254.169.254"])
    error = await error_of(url=f"http://rebind.test:{server.port}/")
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert f"rebind.test:{server.port} (which is 169.254.169.254)" in error.message
    assert server.received == []


async def test_the_checked_address_is_the_one_connected_to(http, server, monkeypatch):
    resolving_to(monkeypatch, ["127.0.0.1"])  # a second look-up would fail the test
    server.answer("/", b"here")
    assert (await http(url=f"http://rebind.test:{server.port}/"))["body"] == "here"
    assert server.received[0].headers["host"] == f"rebind.test:{server.port}"


async def test_the_next_address_is_tried(http, server, monkeypatch):
    resolving_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    server.answer("/", b"here")
    assert (await http(url=f"http://rebind.test:{server.port}/"))["body"] == "here"
