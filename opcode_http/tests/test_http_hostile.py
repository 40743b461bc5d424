"""What somebody tries who wants http.* to reach what it must not, or to wait, or to burst."""

import asyncio
import gzip
import json
import os
import resource
import socket
import time
import zlib

import pytest

from opcode_core import ErrorCode, NetworkPolicy
from opcode_http import names
from opcode_http.addresses import AddressPolicy
from opcode_http.unpacking import MOST_LAYERS

OPEN = AddressPolicy(NetworkPolicy())
CLOSED = AddressPolicy(NetworkPolicy(allow_private=False))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.170.2",  # Amazon's containers
        "169.254.170.23",
        "169.254.0.23",  # Tencent
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "2852039166",  # decimal
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "0251.254.43518",
        "169.16689662",
        "169.254.43518",
        "0xa9.254.0251.0xfe",
        "0",
        "0.0.0.0",
        "0.1.2.3",
        "0x0",
        "[::]",
        "[::0.0.0.0]",
        "[0:0:0:0:0:0:0:0]",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "[fd00:42::42]",
        "[fe80::1]",
        "[fe80::a9fe:a9fe]",
        "[febf::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[::169.254.169.254]",  # IPv4-compatible
        "[::ffff:0:a9fe:a9fe]",  # IPv4-translated
        "[64:ff9b::a9fe:a9fe]",  # NAT64
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::a9fe:a9fe]",  # NAT64 of one's own
        "[2002:a9fe:a9fe::]",  # 6to4
        "[2002:a9fe:a9fe::1]",
        "[2002:6464:64c8::]",
        "[2001:0:a9fe:a9fe::]",  # Teredo, the server
        "[2001:0:5db8:d70e:0:0:5601:5601]",  # Teredo, the client
        "[2001:db8::5efe:a9fe:a9fe]",  # ISATAP
        "[2001:db8::200:5efe:a9fe:a9fe]",
        "[64:ff9b::100.100.100.200]",
        "[::ffff:0.0.0.0]",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "[ff02::1]",
        "[ff0e::1]",
        "[::ffff:224.0.0.1]",
        "[::ffff:255.255.255.255]",
        "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
        "169。254。169。254",
        "１６９.２５４.１６９.２５４",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata.goog",
        "metadata",
        "instance-data",
        "user:pass@169.254.169.254",
        "example.com@169.254.169.254",
    ],
)
async def test_what_is_never_reached_in_any_spelling(error_of, monkeypatch, host):
    connected = []
    monkeypatch.setattr(
        "opcode_http.network.httpcore2.AnyIOBackend.connect_tcp", lambda *given: connected.append(given)
    )
    error = await error_of(url=f"http://{host}/latest/meta-data/", timeout=5)
    assert error.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.VALIDATION_ERROR), error
    assert connected == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254#@example.com/",
        "http://169.254.169.254?@example.com/",
        "http://example.com\\@169.254.169.254/",
        "http://169.254.169.254\\@example.com/",
        "http://[fe80::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://169.254.169.254%00.example.com/",
        "http://169.254.169.254\t/",
        "http://169.254.169.254\r\nHost: x/",
        "//169.254.169.254/",
        "http:169.254.169.254",
        "http:///169.254.169.254/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "ftp://127.0.0.1/",
        "unix:///var/run/docker.sock",
        "dict://127.0.0.1:11211/stat",
        "data:text/plain,x",
    ],
)
async def test_urls_that_are_read_in_two_ways(error_of, monkeypatch, url):
    connected, real = [], names.look_up

    def look_up(host, port, **options):
        if not (host[:1].isdigit() or ":" in host):
            raise socket.gaierror(socket.EAI_NONAME, "no name is known here")
        return real(host, port, **options)

    monkeypatch.setattr(names, "look_up", look_up)
    monkeypatch.setattr(
        "opcode_http.network.httpcore2.AnyIOBackend.connect_tcp", lambda *given: connected.append(given)
    )
    error = await error_of(url=url, timeout=5)
    assert connected == []
    refused = error.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.VALIDATION_ERROR)
    assert refused or error.message.startswith("cannot find the host"), error


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "127.0.0.1", "127.255.0.1", "100.64.0.1",
        "100.127.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "::1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "2001::1", "2001:10::1", "100::1", "3fff::1",
        "5f00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
        "2002:a00:1::", "2002:7f00:1::", "2002:c0a8:1::1", "2600::5efe:10.0.0.1", "4000::1", "fd00::1%lo",
    ],
)  # fmt: skip
def test_what_is_private_in_whatever_wrapping(address):
    assert CLOSED.refusal(address, 80) is not None


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:2800:21f::1", "64:ff9b::101:101",
                "2002:101:101::1", "::ffff:1.1.1.1"],
)  # fmt: skip
def test_what_is_public_stays_so(address):
    assert CLOSED.refusal(address, 443) is None
    assert OPEN.refusal(address, 443) is None


# ---- the server's own port ----------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch, tmp_path, server):
    """Say, as a server does, that `server` is OPCODE's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".opcode/servers"
    folder.mkdir(parents=True)
    told = {
        "pid": os.getpid(),
        "url": f"http://127.0.0.1:{server.port}",
        "key": "k",
        "storage": "sqlite:////x",
    }

    def say(**changes):
        (folder / "abc.json").write_text(json.dumps(told | changes))

    say()
    server.answer("/", b"here")
    return say


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST", "127.1", "127.0.0.2", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1",
        "017700000001", "0177.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0",
        "0", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "rebind.test",
    ],
)  # fmt: skip
async def test_another_process_s_server_is_found_by_its_file_and_refused(
    error_of, own, server, monkeypatch, host
):
    real = names.look_up
    monkeypatch.setattr(
        names,
        "look_up",
        lambda name, *given, **more: real("127.0.0.1" if name == "rebind.test" else name, *given, **more),
    )
    error = await error_of(url=f"http://{host}:{server.port}/", timeout=5)
    assert (
        error.code is ErrorCode.PERMISSION_DENIED or host == "0177.0.0.1"
    )  # which is not taken for an address
    assert server.connections == 0


async def test_a_redirect_to_the_own_port_is_refused(error_of, own, server, new_server):
    other = await new_server()
    other.redirect("/", f"http://localhost:{server.port}/")
    error = await error_of(url=other.url)
    assert (error.code, "this server's own port" in error.message) == (ErrorCode.PERMISSION_DENIED, True)
    assert server.connections == 0


@pytest.mark.parametrize("changes", [{"pid": 2**22 + 1}, {"url": "http://127.0.0.1:1"}, {"url": "nonsense"}])
async def test_a_server_that_is_gone_or_elsewhere_refuses_nothing(http, own, server, changes):
    own(**changes)
    assert (await http(url=server.url))["body"] == "here"


async def test_a_file_that_is_none_refuses_nothing(http, own, server, tmp_path):
    (tmp_path / ".opcode/servers/abc.json").write_text("{")
    assert (await http(url=server.url))["body"] == "here"


# ---- names that change their mind ------------------------------------------------------------------


async def test_a_name_that_changes_its_answer_is_looked_up_once_a_connection(
    http, error_of, server, monkeypatch
):
    """The classic: harmless when it is checked, the metadata service when it is used."""
    asked = []

    def look_up(host, port, **options):
        if host != "rebind.test":
            return socket.getaddrinfo(host, port, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) % 2 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(names, "look_up", look_up)
    # A connection that is kept would need no second look-up.
    server.answer("/", b"here", "Connection: close")
    for _ in range(10):
        assert (await http(url=f"http://rebind.test:{server.port}/"))["body"] == "here"
        error = await error_of(url=f"http://rebind.test:{server.port}/")
        assert "(which is 169.254.169.254)" in error.message
    assert len(asked) == 20
    assert {request.headers["host"] for request in server.received} == {f"rebind.test:{server.port}"}


async def test_a_redirect_to_the_same_name_is_checked_again(error_of, server, monkeypatch):
    answers = iter(["127.0.0.1", "169.254.169.254"])

    def look_up(host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(names, "look_up", look_up)
    server.answer(
        "/", b"", "Connection: close", f"Location: http://rebind.test:{server.port}/", status="302 Found"
    )
    error = await error_of(url=f"http://rebind.test:{server.port}/")
    assert error.code is ErrorCode.PERMISSION_DENIED


@pytest.mark.parametrize("location", [
    "http://169.254.169.254/", "//169.254.169.254/", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/",
    "http://metadata.google.internal/", "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)",
    "http://x@169.254.169.254/", "HTTP://169.254.169.254/", "http://0/", "http://[::]:80/",
])  # fmt: skip
async def test_redirects_to_what_is_refused(error_of, server, location):
    server.redirect("/", location)
    error = await error_of(url=server.url, timeout=5)
    assert error.code is ErrorCode.PERMISSION_DENIED


async def test_the_name_stays_in_the_handshake_and_in_host(http, error_of, tls_server, monkeypatch):
    seen = []
    monkeypatch.setattr(
        names,
        "look_up",
        lambda host, port, **options: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
    )
    import ssl

    real = ssl.SSLContext.wrap_bio

    def wrap_bio(context, *given, **named):
        seen.append(named.get("server_hostname") or given[3:4])
        return real(context, *given, **named)

    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", wrap_bio)
    tls_server.answer("/", b"here")
    url = f"https://some.name.test:{tls_server.port}/"
    assert (await http(url=url, tls_skip_verify=True))["body"] == "here"
    assert b"some.name.test" in seen
    assert tls_server.received[0].headers["host"] == f"some.name.test:{tls_server.port}"
    error = await error_of(url=url)
    assert "certificate" in error.message


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
async def test_proxies_of_the_environment_are_ignored(http, server, new_server, monkeypatch, variable):
    proxy = await new_server()
    monkeypatch.setenv(variable, proxy.url)
    server.answer("/", b"here")
    assert (await http(url=server.url))["body"] == "here"
    assert proxy.connections == 0


async def test_a_resolver_that_never_answers_holds_up_only_those_who_ask_it(
    http, error_of, server, monkeypatch
):
    import threading

    enough = threading.Event()

    def look_up(host, port, **options):
        if host == "slow.test":
            enough.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return socket.getaddrinfo(host, port, **options)

    monkeypatch.setattr(names, "look_up", look_up)
    server.answer("/", b"here")
    try:
        waiting = [asyncio.create_task(error_of(url="http://slow.test/", timeout=0.5)) for _ in range(8)]
        started = time.monotonic()
        assert (await http(url=f"http://localhost:{server.port}/"))["body"] == "here"
        assert await asyncio.to_thread(lambda: "threads are left") == "threads are left"
        assert {(await task).code for task in waiting} == {ErrorCode.TIMEOUT_ERROR}
        assert time.monotonic() - started < 5
    finally:
        enough.set()


# ---- servers that never end, and bodies that burst ------------------------------------------------


async def forever(writer, piece: bytes, pause: float = 0.0):
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: b\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    ],
)
@pytest.mark.parametrize("pause", [0.02, 0.0])
async def test_answers_without_an_end(error_of, server, head, piece, pause):
    async def answer(writer):
        writer.write(head)
        await forever(writer, piece if pause else piece * 1000, pause)

    server.routes["/"] = answer
    started = time.monotonic()
    error = await error_of(url=server.url, timeout=1)
    assert error.code in (ErrorCode.TIMEOUT_ERROR, ErrorCode.EXECUTION_ERROR)
    assert time.monotonic() - started < 4


def zeros(size: int, wbits: int = 31) -> bytes:
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, wbits), bytes(1024 * 1024)
    return b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "layers"),
    [("gzip", 1), ("gzip, gzip", 2), ("gzip, gzip, gzip", 3), ("deflate, gzip", 2), ("x-gzip", 1)],
)
async def test_bombs_take_neither_memory_nor_time(error_of, server, encoding, layers):
    body = zeros(1 << 28, 15 if encoding.startswith("deflate") else 31)
    for _ in range(layers - 1):
        body = gzip.compress(body, 9)
    server.answer("/", body, f"Content-Encoding: {encoding}")
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    error = await error_of(url=server.url, timeout=20)
    assert "larger than 10 MiB" in error.message
    assert time.monotonic() - started < 5
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024, f"{grown // 1024} MiB"


async def test_a_bomb_that_unpacks_to_nothing_is_noticed_by_what_is_between(error_of, server):
    nothing = gzip.compress(b"")
    body = gzip.compress(nothing * (24 * 1024 * 1024 // len(nothing)), 9)
    server.answer("/", body, "Content-Encoding: gzip, gzip")
    started = time.monotonic()
    assert "larger than 10 MiB" in (await error_of(url=server.url)).message
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "encoding",
    ["br", "zstd", "compress", "exi", ", ".join(["gzip"] * (MOST_LAYERS + 1)), "x" * 1000, "gzip;q=1"],
)
async def test_compressions_that_nobody_asked_for(error_of, server, encoding):
    server.answer("/", b"x" * 10, f"Content-Encoding: {encoding}")
    error = await error_of(url=server.url)
    assert error.code is ErrorCode.EXECUTION_ERROR
    assert "not in the compression" in error.message
    assert len(error.message) < 400


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("gzip", gzip.compress(b"one ") + gzip.compress(b"two"), "one two"),
        ("gzip", gzip.compress(b"one") + b"\0" * 512, "one"),
        ("gzip", b"", ""),
        ("identity", b"one", "one"),
        ("", b"one", "one"),
        ("GZIP", gzip.compress(b"one"), "one"),
        ("deflate", zlib.compress(b"one"), "one"),
        ("deflate", zlib.compress(b"one")[2:-4], "one"),
        ("deflate, gzip", gzip.compress(zlib.compress(b"one")), "one"),
        ("gzip", gzip.compress(bytes(10 * 1024 * 1024), 9), "\0" * (10 * 1024 * 1024)),
    ],
    # Named, for gzip writes the time of day into its bytes.
    ids=[
        "two-members",
        "padding",
        "nothing",
        "identity",
        "none",
        "capitals",
        "zlib",
        "raw-deflate",
        "two-codings",
        "10-MB",
    ],
)
async def test_honest_compression_is_undone(http, server, encoding, body, text):
    server.answer("/", body, f"Content-Encoding: {encoding}")
    assert (await http(url=server.url))["body"] == text


async def test_a_compressed_body_that_ends_too_early(error_of, server):
    server.answer("/", gzip.compress(b"one" * 1000)[:-10], "Content-Encoding: gzip")
    assert "it ends too early" in (await error_of(url=server.url)).message


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "zip", "hex", "rot13", "undefined", "utf-7", "mbcs", "x" * 500, "bz2"],
)  # fmt: skip
async def test_charsets_that_are_programs(http, server, charset):
    body = b"a" * 200_000 + b"-" + b"aaaaaaaaa" * 20_000
    server.answer("/", body + b"\\x41", kind=f"text/plain; charset={charset}")
    started = time.monotonic()
    assert (await http(url=server.url))["body"].endswith("\\x41")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("charset", "body"),
    [("iso-8859-1", b"\xe9"), ("windows-1252", b"\xe9"), ("utf-16", "é".encode("utf-16")), ("latin1", b"\xe9"),
     ("shift_jis", "é".encode()), ("koi8-r", "ж".encode("koi8-r")), ("gb18030", "é".encode("gb18030"))],
)  # fmt: skip
async def test_charsets_that_people_use(http, server, charset, body):
    server.answer("/", body, kind=f"text/plain; charset={charset}")
    given = (await http(url=server.url))["body"]
    assert given in ("é", "ж") or charset == "shift_jis"
