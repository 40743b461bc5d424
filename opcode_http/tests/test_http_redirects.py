import pytest

from opcode_core import ErrorCode


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        ("301 Moved", "POST", "GET", b""),
        ("302 Found", "POST", "GET", b""),
        ("302 Found", "PUT", "PUT", b'{"a":1}'),
        ("303 See Other", "PUT", "GET", b""),
        ("303 See Other", "HEAD", "HEAD", b'{"a":1}'),
        ("307 Temporary", "POST", "POST", b'{"a":1}'),
        ("308 Permanent", "POST", "POST", b'{"a":1}'),
        ("302 Found", "GET", "GET", b'{"a":1}'),
    ],
)
async def test_methods_after_a_redirect(http, server, status, method, then, body):
    server.redirect("/old", "/new", status)
    server.answer("/new")
    if method == "HEAD":
        server.routes["/old"] = b"HTTP/1.1 303 See Other\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
        server.routes["/new"] = b"HTTP/1.1 200 OK\r\n\r\n"
    await http(url=f"{server.url}/old", method=method, body={"a": 1})
    second = server.received[1]
    assert (second.method, second.target, second.body) == (then, "/new", body)
    assert ("content-type" in second.headers) == bool(body)


async def test_relative_locations(http, server):
    server.redirect("/a/b?x=1", "../c?y=2")
    server.routes["/a/b"] = server.routes["/a/b?x=1"]
    server.answer("/c", b"arrived")
    assert (await http(url=f"{server.url}/a/b?x=1"))["body"] == "arrived"
    assert server.received[1].target == "/c?y=2"


async def test_following_can_be_switched_off(http, server):
    server.redirect("/", "/other")
    output = await http(url=server.url, follow_redirects=False)
    assert output["status_code"] == 302
    assert output["headers"]["Location"] == "/other"
    assert output["body"] == "moved"


async def test_a_304_is_not_followed(http, server):
    server.routes["/"] = b"HTTP/1.1 304 Not Modified\r\nLocation: /x\r\n\r\n"
    assert (await http(url=server.url))["status_code"] == 304


async def test_redirects_are_bounded(error_of, server):
    server.redirect("/loop", "/loop")
    error = await error_of(url=f"{server.url}/loop", max_redirects=3)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert "after 3 redirects; raise max_redirects if that is right" in error.message
    assert len(server.received) == 4


async def test_as_many_redirects_as_allowed_are_followed(http, server):
    for i in range(3):
        server.redirect(f"/{i}", f"/{i + 1}")
    server.answer("/3", b"arrived")
    assert (await http(url=f"{server.url}/0", max_redirects=3))["body"] == "arrived"


CREDENTIALS = [
    ({"auth": {"type": "bearer", "token": "secret"}}, "authorization"),
    ({"auth": {"type": "basic", "username": "u", "password": "secret"}}, "authorization"),
    ({"auth": {"type": "api_key", "header_name": "X-My-Key", "header_value": "secret"}}, "x-my-key"),
    ({"headers": {"authorization": "secret"}}, "authorization"),
    ({"headers": {"Cookie": "secret"}}, "cookie"),
]


@pytest.mark.parametrize(("params", "header"), CREDENTIALS)
async def test_credentials_stay_on_the_same_host(http, server, params, header):
    server.redirect("/old", "/new")
    server.answer("/new")
    await http(url=f"{server.url}/old", **params)
    assert header in server.received[1].headers


@pytest.mark.parametrize(("params", "header"), CREDENTIALS)
async def test_credentials_do_not_go_to_another_host(http, server, new_server, params, header):
    other = await new_server()
    server.redirect("/old", f"http://localhost:{other.port}/new")
    other.redirect("/new", f"{server.url}/back")
    server.answer("/back")
    headers = {**params.get("headers", {}), "X-Plain": "kept"}
    await http(url=f"{server.url}/old", **{**params, "headers": headers})
    assert header in server.received[0].headers
    assert header not in other.received[0].headers
    assert header not in server.received[1].headers
    assert other.received[0].headers["x-plain"] == "kept"
    assert other.received[0].headers["host"] == f"localhost:{other.port}"


async def test_a_host_header_does_not_follow_a_redirect(http, server):
    server.redirect("/old", "/new")
    server.answer("/new")
    await http(url=f"{server.url}/old", headers={"Host": "virtual.example"})
    assert server.received[0].headers["host"] == "virtual.example"
    assert server.received[1].headers["host"] == f"127.0.0.1:{server.port}"


async def test_a_user_in_a_redirect_is_not_taken_for_the_callers(http, server):
    server.redirect("/old", server.url.replace("http://", "http://evil:x@") + "/new")
    server.answer("/new")
    await http(url=f"{server.url}/old")
    assert "authorization" not in server.received[1].headers


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:1/_x"])
async def test_redirects_leave_http_for_nothing_else(error_of, server, location):
    server.redirect("/", location)
    error = await error_of(url=server.url)
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert "only http and https are allowed" in error.message


async def test_a_redirect_to_nowhere(error_of, server):
    server.redirect("/", "http://a:b:c/")
    error = await error_of(url=server.url)
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert "redirects to 'http://a:b:c/', which is not a URL" in error.message


async def test_a_redirect_to_a_refused_address_is_refused(error_of, server):
    server.redirect("/", "http://169.254.169.254/latest/meta-data/")
    error = await error_of(url=server.url, timeout=5)
    assert error.code == ErrorCode.PERMISSION_DENIED
    assert "169.254.169.254:80: a link-local address" in error.message
