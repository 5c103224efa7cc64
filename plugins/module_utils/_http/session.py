# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""HTTPS with requests: a session that does what the task says, and what its failures mean."""

from __future__ import annotations

import time
import traceback
import typing as t

from .._errors import TransportError

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
    from urllib3.util.retry import Retry
except ImportError:
    REQUESTS_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

    class _BoundedRetry(Retry):
        """urllib3's Retry that also gives up after a total time, counted from the first failure of a request.

        Args:
            deadline: seconds for all attempts of one request together.
            give_up_at: end of that time on the monotonic clock; set by the first failure.
        """

        def __init__(self, *args: t.Any, deadline: float = 120.0, give_up_at: float = 0.0, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.deadline = deadline
            self.give_up_at = give_up_at

        def new(self, **kwargs: t.Any) -> t.Any:
            give_up_at = self.give_up_at or time.monotonic() + self.deadline
            return super().new(deadline=self.deadline, give_up_at=give_up_at, **kwargs)

        def _bounded(self, seconds: float) -> float:
            return max(0.0, min(seconds, self.give_up_at - time.monotonic()))

        def is_exhausted(self) -> bool:
            return super().is_exhausted() or 0.0 < self.give_up_at <= time.monotonic()

        def get_backoff_time(self) -> float:
            return self._bounded(super().get_backoff_time())

        def get_retry_after(self, response: t.Any) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else self._bounded(seconds)


# POST is missing on purpose: a lost answer may mean a created entity. Whoever posts has to read back first.
RETRIED_METHODS = frozenset({"GET", "PUT", "DELETE"})
RETRIED_STATUSES = (429, 502, 503, 504)


def http_session(
    *,
    verify: bool | str,
    retries: int = 0,
    deadline: float = 120.0,
    client_cert: tuple[str, str] | None = None,
) -> requests.Session:
    """A session that does what the task says and nothing else.

    The environment is left out (trust_env), because a ~/.netrc entry would replace our Authorization header and
    REQUESTS_CA_BUNDLE would win over verify.

    Args:
        verify: the CA file to verify servers with, True for the bundle of certifi, False for no verification.
        retries: how often GET, PUT and DELETE are repeated on connection errors and on 429, 502, 503 and 504.
        deadline: seconds for all attempts of one request together.
        client_cert: paths of the client certificate and of its key.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = verify
    session.cert = client_cert
    if verify is False:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    adapter = HTTPAdapter(
        max_retries=_BoundedRetry(
            total=retries,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            backoff_max=20,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=RETRIED_METHODS,
            raise_on_status=False,
            deadline=deadline,
        )
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def transport_error(exc: Exception, tried: str, *, ca_option: str) -> TransportError:
    """What a failed exchange means, in our words. The text of exc is used only where it cannot hold a secret.

    Args:
        exc: an exception of requests (or an OSError of reading a certificate file).
        tried: the sentence that says what was attempted.
        ca_option: name of the option with the CA that verifies this server.
    """
    reason: t.Any = exc.args[0] if exc.args else exc
    reason = getattr(reason, "reason", reason)  # urllib3's MaxRetryError keeps the last failure there
    text = f"{reason} {exc}".lower()
    if isinstance(reason, NameResolutionError) or "name resolution" in text or "getaddrinfo" in text:
        outcome, advice = "The host name could not be resolved.", "Check the host name and the DNS of this machine."
    elif isinstance(reason, NewConnectionError):  # a subclass of the next one
        outcome = "The connection was refused." if "refused" in text else "No connection could be made."
        advice = "Check host and port, and that the Qlik Sense services run."
    elif isinstance(reason, ConnectTimeoutError) or isinstance(exc, requests.exceptions.ConnectTimeout):
        outcome = "There was no answer to the connection attempt."
        advice = "Check host and port, and that the firewall lets this machine through."
    elif "certificate verify failed" in text:
        outcome, advice = _verification_failure(text, ca_option)
    elif "alert" in text or "sslv3" in text or "certificate required" in text or "eof occurred" in text:
        # In TLS 1.3 the refusal can get lost: then only the end of the connection is seen.
        outcome = "The server ended the TLS handshake, as it does when it refuses the client certificate or misses one."
        advice = (
            "Give the pair that the QMC of this very site exported (client.pem and client_key.pem), and check the port."
        )
    elif "key values mismatch" in text or "key_values_mismatch" in text:
        outcome, advice = "The client key does not belong to the client certificate.", "Give the two files of one pair."
    elif "wrong version number" in text or "unknown protocol" in text or "record layer" in text:
        outcome, advice = "The server does not speak TLS on this port.", "Check the port."
    elif isinstance(exc, requests.exceptions.SSLError) or "pem lib" in text:
        outcome = "The TLS handshake failed."
        advice = "Check that the certificate files are PEM, belong together and belong to this site."
    elif isinstance(exc, requests.exceptions.Timeout) or "timed out" in text:
        outcome = "The connection stood, but no answer came within the read timeout."
        advice = "A proxy that was idle can need 20 seconds; raise the timeout, or look at the server."
    else:
        outcome = f"The connection was lost ({type(exc).__name__})."
        advice = "Run the task again; if it happens each time, check the client certificate and the server's log."
    return TransportError(tried, outcome, advice)


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
