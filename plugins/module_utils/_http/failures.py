# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Messages and hints for failed exchanges."""

from __future__ import annotations

import re
import typing as t

from .._errors import TransportError
from .server_texts import size_sentence

# Texts of OpenSSL if FIPS mode, a security level or a missing provider excludes an algorithm or a key.
_POLICY = (
    "too weak", "too small", "no ciphers", "digital envelope routines", "unsupported protocol",
    "no protocols available", "legacy sigalg",
)  # fmt: skip
# The texts of these exceptions contain parts of the answer, with which a server could choose the message.
_FOREIGN_TEXT = ("HTTPException", "DecodeError", "InvalidHeader", "HeaderParsingError", "ValueError")
# Permanent failures.
_LASTING = ("certificate verify failed", "wrong version number", "name or service not known", "nodename nor servname")
NOT_UPGRADED = "no valid answer to an upgrade"
"""Text of an exception for an answer that does not open a websocket, although it says so."""

_CHECK_ADDRESS = "Check host and port, and that Qlik Sense itself answers here."


class _Failure(t.NamedTuple):
    """A kind of failure.

    Attributes:
        marks: names of exceptions, or parts of their texts in lower case.
        message: see QlikError.
        hint: see QlikError.
        without: message and hint if no client certificate was sent, if they differ.
    """

    marks: tuple[str, ...]
    message: str
    hint: str
    without: tuple[str, str] | None = None


FAILURES = (  # the first one with a matching mark is used
    _Failure(
        ("ProxyError", "tunnel connection failed"),
        "The web proxy cannot be reached, or it refuses the connection.",
        "Check http_proxy, and that the web proxy allows this host and port.",
    ),
    _Failure(
        ("NameResolutionError", "name resolution", "getaddrinfo"),
        "The host name could not be resolved.",
        "Check the host name and the DNS of this machine.",
    ),
    _Failure(
        ("connection refused",),
        "The connection was refused.",
        "Check host and port, and that the Qlik Sense services run.",
    ),
    _Failure(
        ("NewConnectionError",),
        "No connection could be established.",
        "Check host and port, and that the Qlik Sense services run.",
    ),
    _Failure(
        ("ConnectTimeoutError",),
        "There was no answer to the connection attempt.",
        "Check host and port, and that the firewall allows connections from this machine.",
    ),
    _Failure(
        _POLICY,
        "This machine does not allow an algorithm or a key size that is used here ({}).",
        "Use certificates with RSA keys of at least 2048 bits and SHA-256, on the server and for the client, or change "
        "the cryptographic policy of this machine (such as FIPS mode).",
    ),
    _Failure(("certificate verify failed",), "", ""),  # see verification_failure
    _Failure(
        # In TLS 1.3 the refusal can get lost, so that only the end of the connection is received.
        ("alert", "sslv3", "certificate required", "eof occurred"),
        "The server ended the TLS handshake. Most likely it refuses the client certificate.",
        "Use client.pem and client_key.pem as exported by the QMC of this site, and check the port.",
        (
            "The server ended the TLS handshake. Most likely it requires a client certificate.",
            "Check the port: the repository (4242) and the proxy's own API (4243) require one, proxies do not.",
        ),
    ),
    _Failure(
        ("key values mismatch", "key_values_mismatch"),
        "The client key does not belong to the client certificate.",
        "Use the two files of the same pair.",
    ),
    _Failure(
        ("wrong version number", "unknown protocol", "record layer"),
        "The server does not use TLS on this port.",
        "Check the port.",
    ),
    _Failure(
        ("SSLError", "pem lib"),
        "The TLS handshake failed.",
        "Check that the certificate files are PEM, belong together and belong to this site.",
        ("The TLS handshake failed.", "Check the port, and the load balancers or reverse proxies before the server."),
    ),
    _Failure(
        ("timed out", "TimeoutError"),
        "The connection was established, but no complete answer arrived within the read timeout.",
        "A proxy that was idle can need 20 seconds; increase the timeout, or check the server.",
    ),
    _Failure(
        (NOT_UPGRADED,),
        "The answer to the request for a websocket is not valid.",
        "Check the load balancers or reverse proxies before the server.",
    ),
    _Failure(
        ("DecodeError",),
        "The compressed answer cannot be decoded.",
        "Check host and port, and the load balancers or reverse proxies before the server.",
    ),
    _Failure(
        ("ValueError", "RecursionError"),
        "The request or the header of the answer is not valid.",
        _CHECK_ADDRESS,
    ),
    # http.client, of a line or of the number of lines
    _Failure(("LineTooLong", "HTTPException"), "The header or a line of the answer is too long.", _CHECK_ADDRESS),
    _Failure(
        ("BadStatusLine", "UnknownProtocol", "InvalidChunkLength", "InvalidHeader", "HeaderParsingError"),
        "The answer is not valid HTTP.",
        _CHECK_ADDRESS,
    ),
    _Failure(
        ("",),
        "The connection was lost.",
        "Run the task again; if it happens each time, check the client certificate and the server's log.",
        ("The connection was lost.", "Run the task again; if it happens each time, check the server's log."),
    ),
)


def transport_error(
    exc: Exception, context: str, *, ca_option: str, has_certificate: bool = False, header_bytes: int = 0
) -> TransportError:
    """Return the error for a failed exchange. The text of exc is used only if it cannot contain a secret.

    Args:
        exc: an exception of urllib3 or of a library below it.
        context: method and URL.
        ca_option: name of the option with the CA that verifies this server.
        has_certificate: True if a client certificate is sent.
        header_bytes: size of the headers of the request.
    """
    names, text = _describe(exc)
    failure = next(one for one in FAILURES if any(mark in names or mark in text for mark in one.marks))
    message, hint = failure.without if failure.without and not has_certificate else (failure.message, failure.hint)
    if failure.marks is _POLICY:
        found = re.search(f"[a-z ]*(?:{'|'.join(_POLICY)})[a-z ]*", text)
        message = message.format(found[0].strip() if found else "")
    elif not message:
        message, hint = verification_failure(text, ca_option)
    elif "lost" in message and " http://" in context:
        hint = "If this port uses TLS, write https:// before the host name."
    if "lost" in message:  # a server that refuses long headers may end the connection without an answer
        hint = size_sentence(header_bytes) or hint
    error = TransportError(message, hint, context=context)
    error.lasting = any(mark in text for mark in _LASTING)
    return error


def is_unanswered(exc: Exception, *, connecting: bool) -> bool:
    """Return True if no server answered. An untrusted certificate or a refused client certificate is an answer.

    Args:
        exc: as for transport_error, for a request without any part of an answer.
        connecting: True if the connection was not established yet.
    """
    names, text = _describe(exc)
    if "SSLError" in names:
        # A load balancer accepts a connection and closes it if no server behind it answers.
        return connecting and "eof occurred" in text
    return connecting or not names.isdisjoint(("TimeoutError", "ReadTimeoutError"))


def _describe(exc: Exception) -> tuple[set[str], str]:
    """Return the names of the classes of the cause, and its text in lower case, "" if it may be of the server."""
    reason = getattr(exc, "reason", None) or exc  # urllib3's MaxRetryError has the last failure there
    names = {one.__name__ for one in type(reason).__mro__}
    [inner] = [one for one in getattr(reason, "args", ())[1:2] if isinstance(one, Exception)] or [reason]
    bases = {one.__name__ for one in type(inner).__mro__}
    if bases.isdisjoint(("OSError", "SSLError")) and not bases.isdisjoint(_FOREIGN_TEXT):
        return names | {type(inner).__name__}, ""
    return names, f"{reason} {exc}".lower()


def verification_failure(text: str, ca_option: str) -> tuple[str, str]:
    if "hostname mismatch" in text or "not valid for" in text or "doesn't match" in text:
        return (
            "The server's certificate is valid, but not for this host name.",
            "Use a host name of the certificate (for Qlik's own certificates the machine name at installation).",
        )
    if "expired" in text:
        return "The server's certificate has expired.", "Renew it on the server."
    detail = text.split("certificate verify failed:", 1)[-1].split("(", 1)[0].strip(" .:'\"")
    # A wrong port often has a certificate of the other CA.
    port = "is that of a proxy" if ca_option == "proxy_ca_path" else "is not that of a proxy"
    issuer = "the CA that issued the certificate (for Qlik's own certificates root.pem, exported in the QMC)"
    return (
        f"The server's certificate is not trusted ({detail})."
        if detail
        else "The server's certificate is not trusted.",
        f"Check that the port {port}, and give {issuer} as {ca_option}.",
    )
