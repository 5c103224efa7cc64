# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Windows authentication of one connection with NTLM (MS-NTHT), over HTTP."""

from __future__ import annotations

import base64
import hashlib
import struct
import typing as t
import urllib.parse

from .._errors import InputError, TransportError
from .._keys.parsing import attempt, is_unsupported
from .client import Request

try:
    import spnego
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from spnego.channel_bindings import GssChannelBindings
    from spnego.exceptions import SpnegoError
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

_CHALLENGE = "WWW-Authenticate"
_BAD_CHALLENGE = (ArithmeticError, LookupError, ValueError, struct.error)


def handshake(request: Request, user: str, password: str) -> t.Generator[Request, t.Any, t.Any]:
    """Send a request, and repeat it with credentials if the server requires them. NTLM needs a persistent connection.

    Args:
        request: to send.
        user: DOMAIN\\user.
        password: of the user.

    Returns:
        The answer.

    Raises:
        TransportError: the server does not support NTLM.
        InputError: this machine does not allow the algorithms of NTLM.
    """
    response = yield request
    offered = response.headers.get(_CHALLENGE, "").lower() if response.status == 401 else ""
    scheme = next((one for one in ("NTLM", "Negotiate") if one.lower() in offered), None)
    if scheme is None:
        return response
    try:
        client = spnego.client(
            user,
            password,
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
            channel_bindings=_channel_bindings(response.certificate),
            hostname=urllib.parse.urlsplit(request.url).hostname or "",
            service="http",
        )
        refused = yield _with_message(request, scheme, client.step())
        offers = [one.strip() for one in refused.headers.get(_CHALLENGE, "").split(",")]
        [challenge, *_others] = [one.removeprefix(f"{scheme} ") for one in offers if one.startswith(f"{scheme} ")]
        return (yield _with_message(request, scheme, client.step(base64.b64decode(challenge))))
    except (*_BAD_CHALLENGE, SpnegoError, UnsupportedAlgorithm, InternalError) as exc:
        if is_unsupported(exc):
            raise InputError(
                "This machine does not allow algorithms of NTLM (MD4, MD5, RC4), as in FIPS mode.",
                "Use another 'auth_method', for example jwt or certificate.",
                context=request.context,
            ) from None
        raise TransportError(
            "The server requires Windows authentication, but does not support NTLM.",
            "Check that NTLM is allowed there, and that no other web server is in front of Qlik Sense.",
            context=request.context,
        ) from None


def _with_message(request: Request, scheme: str, message: bytes | None) -> Request:
    return request._replace(headers={"Authorization": f"{scheme} {base64.b64encode(message or b'').decode()}"})


def _channel_bindings(certificate: bytes | None) -> GssChannelBindings | None:
    """Return the channel bindings, which bind the credentials to the TLS connection (RFC 5929, 4.1)."""
    if certificate is None:
        return None
    from cryptography import x509

    algorithm = attempt(lambda: x509.load_der_x509_certificate(certificate).signature_hash_algorithm)
    name = algorithm.name if algorithm and algorithm.name not in ("md5", "sha1") else "sha256"
    return GssChannelBindings(application_data=b"tls-server-end-point:" + hashlib.new(name, certificate).digest())
