"""Why a request failed, in plain words."""

import os
import ssl

import httpcore2
import httpx2


def shown(url: httpx2.URL) -> str:
    """The URL for a message: without user and query, where secrets are."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}{url.path}"


def reason_of(error: Exception, url: httpx2.URL) -> str:
    """What happened, from the deepest cause that says something."""
    host = url.netloc.decode("ascii", "replace")
    cause = _deepest(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {host} was not accepted ({cause.verify_message}); "
            "tls_skip_verify: true goes on without this check"
        )
    if isinstance(cause, ssl.SSLError):
        return f"no TLS connection with {host} ({cause.reason or cause})"
    if isinstance(cause, ConnectionRefusedError):
        return f"{host} refused the connection; nothing listens there"
    if isinstance(cause, OSError) and cause.errno:
        return f"the connection to {host}: {os.strerror(cause.errno)}"
    if isinstance(error, httpcore2.LocalProtocolError):
        return f"the request is not valid HTTP ({error})"
    if isinstance(error, httpcore2.RemoteProtocolError):
        return f"the response of {host} is not valid HTTP or ended too early ({error})"
    return f"the connection to {host} was lost"


def _deepest(error: BaseException) -> BaseException:
    following: BaseException | None = error
    while following is not None:
        error = following
        following = error.__cause__ or error.__context__
        if isinstance(error, BaseExceptionGroup):
            following = error.exceptions[0]
    return error
