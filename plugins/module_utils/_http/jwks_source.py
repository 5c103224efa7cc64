# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Read a key set from the URL of its provider."""

from __future__ import annotations

import contextlib
import typing as t
import urllib.parse

from .._errors import InputError, TransportError
from .._files import SIZE_LIMIT, PrivateFiles
from .._keys.pem import verification
from .client import HttpClient, Request

_ACCEPT = "application/jwk-set+json, application/json"


def fetch(options: t.Mapping[str, t.Any]) -> str:
    """Return the text of the answer of a provider, which should be a key set in JSON.

    Args:
        options: options of the module jwks_info.

    Raises:
        InputError: an option is not valid.
        TransportError: there was no usable answer.
        AnswerError: the answer was not a success, or is too large.
    """
    url = _checked(options["url"])
    with contextlib.ExitStack() as stack:
        client = HttpClient(
            verify=verification(options, "ca_path", stack.enter_context(contextlib.closing(PrivateFiles()))),
            ca_option="ca_path",
            timeout=(options["connect_timeout"], options["read_timeout"]),
            retries=options["retries"],
            size_limit=SIZE_LIMIT,
            http_proxy=options["http_proxy"],
        )
        stack.enter_context(contextlib.closing(client))
        try:
            response = client.send(Request("GET", url, headers={"Accept": _ACCEPT}))
        except TransportError as error:
            error.hint = "Check url and ca_path, and http_proxy if a web proxy is required to reach the provider."
            raise
    if response.status == 200 and not response.truncated:
        return response.text
    message = f"The answer was {response.status} {response.sanitize(response.reason)}".rstrip() + "."
    hint = "Check url; it is the jwks_uri in the provider's /.well-known/openid-configuration."
    if response.truncated:
        message = f"The answer is larger than {SIZE_LIMIT} bytes."
    elif 300 <= response.status < 400:
        hint = "Redirects are not followed. Give the address of the redirect."
    raise response.error(message, hint)


def _checked(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url.strip())
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "The value of url is not an https URL, or it contains a password.",
            hint="Give the jwks_uri of the provider's configuration (/.well-known/openid-configuration). With http, an"
            " attacker on the network could insert a key.",
        )
    return url.strip()
