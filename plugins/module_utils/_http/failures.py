# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""What a failed exchange means, in our words."""

from __future__ import annotations

import contextlib
import re
import typing as t

from .._errors import TransportError

with contextlib.suppress(ImportError):  # reported by client.require_libraries
    from urllib3.exceptions import (
        ConnectTimeoutError,
        DecodeError,
        NameResolutionError,
        NewConnectionError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )

# What OpenSSL says where FIPS mode, a security level or a missing provider rules something out.
_POLICY = re.compile(
    r"[a-z ]*(?:too weak|too small|no ciphers|digital envelope routines|unsupported protocol|no protocols available"
    r"|legacy sigalg)[a-z ]*"
)
# What no waiting changes.
_LASTING = ("certificate verify failed", "wrong version number", "name or service not known", "nodename nor servname")


def transport_error(exc: Exception, context: str, *, ca_option: str, has_certificate: bool = False) -> TransportError:
    """Return the error for a failed exchange. The text of exc is used only where it cannot hold a secret.

    Args:
        exc: an exception of urllib3 or what is below it.
        context: method and URL.
        ca_option: name of the option with the CA that verifies this server.
        has_certificate: whether a client certificate is sent.
    """
    reason: t.Any = getattr(exc, "reason", None) or exc  # urllib3's MaxRetryError keeps the last failure there
    text = f"{reason} {exc}".lower()
    if isinstance(reason, ProxyError) or "tunnel connection failed" in text:
        message = "The web proxy cannot be reached, or it does not let the connection through."
        hint = "Check http_proxy, and that the web proxy allows this host and port."
    elif isinstance(reason, NameResolutionError) or "name resolution" in text or "getaddrinfo" in text:
        message, hint = "The host name could not be resolved.", "Check the host name and the DNS of this machine."
    elif isinstance(reason, NewConnectionError):  # a subclass of the next one
        message = "The connection was refused." if "refused" in text else "No connection could be made."
        hint = "Check host and port, and that the Qlik Sense services run."
    elif isinstance(reason, ConnectTimeoutError):
        message = "There was no answer to the connection attempt."
        hint = "Check host and port, and that the firewall lets this machine through."
    elif policy := _POLICY.search(text):
        message = f"This machine does not allow an algorithm or a key size that is used here ({policy[0].strip()})."
        hint = (
            "Use certificates with RSA keys of at least 2048 bits and SHA-256, on the server and for the client, or "
            "change the cryptographic policy of this machine (such as FIPS mode)."
        )
    elif "certificate verify failed" in text:
        message, hint = _verification_failure(text, ca_option)
    elif "alert" in text or "sslv3" in text or "certificate required" in text or "eof occurred" in text:
        # In TLS 1.3 the refusal can get lost: then only the end of the connection is seen.
        fault = "refuses the" if has_certificate else "requires a"
        message = f"The server ended the TLS handshake, as it does when it {fault} client certificate."
        hint = (
            "Give the pair that the QMC of this very site exported (client.pem and client_key.pem), and check the port."
            if has_certificate
            else "Check the port: the repository (4242) and the proxy's own API (4243) require one, proxies do not."
        )
    elif "key values mismatch" in text or "key_values_mismatch" in text:
        message, hint = "The client key does not belong to the client certificate.", "Give the two files of one pair."
    elif "wrong version number" in text or "unknown protocol" in text or "record layer" in text:
        message, hint = "The server does not speak TLS on this port.", "Check the port."
    elif isinstance(reason, SSLError) or "pem lib" in text:
        message = "The TLS handshake failed."
        hint = (
            "Check that the certificate files are PEM, belong together and belong to this site."
            if has_certificate
            else "Check the port, and what stands in front of the server."
        )
    elif "timed out" in text:
        message = "The connection stood, but no complete answer came within the read timeout."
        hint = "A proxy that was idle can need 20 seconds; raise the timeout, or look at the server."
    elif isinstance(reason, DecodeError):
        message = "The answer is compressed in a way that cannot be read."
        hint = "Check host and port, and what stands in front of the server."
    elif isinstance(reason, (ValueError, RecursionError)):
        message = "What was to be sent, or the head of the answer, cannot be read."
        hint = "Check host and port, and that Qlik Sense itself answers here."
    elif "got more than" in text:  # http.client, of a line or of the number of lines
        message = "The head of the answer is too long."
        hint = "Check host and port, and that Qlik Sense itself answers here."
    elif " http://" in context:
        message = "The connection was lost."
        hint = "If this port speaks TLS, write https:// in front of the host name."
    else:
        message = "The connection was lost."
        checked = "the client certificate and the server's log" if has_certificate else "the server's log"
        hint = f"Run the task again; if it happens each time, check {checked}."
    error = TransportError(message, hint, context=context)
    error.lasting = any(mark in text for mark in _LASTING)
    return error


def is_unanswered(exc: Exception, *, connecting: bool) -> bool:
    """Return True if no server answered. An untrusted certificate or a refused client certificate is an answer.

    Args:
        exc: as for transport_error, of a request whose answer did not begin.
        connecting: whether the connection did not stand yet.
    """
    reason: t.Any = getattr(exc, "reason", None) or exc
    if isinstance(reason, SSLError):
        # A balancer takes a connection and ends it if nothing behind it answers.
        return connecting and "eof occurred" in str(reason).lower()
    return connecting or isinstance(reason, (TimeoutError, ReadTimeoutError))


def _verification_failure(text: str, ca_option: str) -> tuple[str, str]:
    if "hostname mismatch" in text or "not valid for" in text or "doesn't match" in text:
        return (
            "The server's certificate is valid, but not for this host name.",
            "Use a host name that the certificate carries (for Qlik's own certificates the machine name as installed).",
        )
    if "expired" in text:
        return "The server's certificate has expired.", "Renew it on the server."
    detail = text.split("certificate verify failed:", 1)[-1].split("(", 1)[0].strip(" .:'\"")
    # A wrong port often leads to the other authority.
    port = "is that of a proxy" if ca_option == "proxy_ca_path" else "is not that of a proxy"
    issuer = "the CA that issued the certificate (for Qlik's own certificates root.pem, exported in the QMC)"
    return (
        f"The server's certificate is not trusted ({detail})."
        if detail
        else "The server's certificate is not trusted.",
        f"Check that the port {port}, and give {issuer} as {ca_option}.",
    )
