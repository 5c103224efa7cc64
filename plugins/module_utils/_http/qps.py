# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""The proxy's own API (QPS): tickets and sessions of one virtual proxy on one proxy."""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t
import urllib.parse

from .._errors import AnswerError
from .._keys.pem import client_certificate, verification
from .client import HttpClient, Request, Response

if t.TYPE_CHECKING:
    from .._files import PrivateFiles
    from .._text import Sanitizer

_HINT = "Check that the port is that of the proxy's own API (4243) and that the client certificate is of this site."


class Session(t.NamedTuple):
    """An open session.

    Attributes:
        id: its identifier, which is also the value of its cookie and a secret.
        user: DIRECTORY\\user.
        attributes: names and values, a name can occur several times; None if the answer has none.
    """

    id: str
    user: str
    attributes: tuple[tuple[str, str], ...] | None = None


class QpsClient:
    """The QPS of one proxy, for one virtual proxy.

    Args:
        base: URL of the API.
        prefix: of the virtual proxy, "" for the default one.
        verify: as for HttpClient.
        client_cert: as for HttpClient.
        timeout: as for HttpClient.
        retries: as for HttpClient.
        retry_deadline: as for HttpClient.
        http_proxy: as for HttpClient.
        sanitize: as for HttpClient. It receives each ticket.
    """

    def __init__(
        self,
        base: str,
        prefix: str,
        *,
        verify: bool | str,
        client_cert: tuple[str, str],
        timeout: tuple[float, float],
        retries: int = 0,
        retry_deadline: float = 120.0,
        http_proxy: str | None = None,
        sanitize: Sanitizer | None = None,
    ) -> None:
        self.base = base
        self._prefix = prefix
        self._http = HttpClient(
            verify=verify,
            ca_option="ca_path",
            timeout=timeout,
            client_cert=client_cert,
            retries=retries,
            retry_deadline=retry_deadline,
            http_proxy=http_proxy,
            sanitize=sanitize,
        )
        # Qlik help, "Using Xrfkey headers": the same 16 characters of 0-9a-zA-Z as query parameter and as header.
        self._xrfkey = os.urandom(8).hex()
        self._http.headers.update({"X-Qlik-Xrfkey": self._xrfkey, "Accept": "application/json"})

    def add_ticket(self, directory: str, name: str) -> str:
        """Return a ticket for a user. It is valid for one minute and one session (Qlik help, "Add ticket").

        Raises:
            QlikError: there was no ticket.
        """
        body = {"UserDirectory": directory, "UserId": name, "Attributes": []}
        response = self._send("POST", "ticket", body=body)
        hint = "Check 'qps_port', and that the virtual proxy exists and is linked to the proxy of this host."
        is_success = response.status in (200, 201)
        content = None
        with contextlib.nullcontext() if is_success else contextlib.suppress(AnswerError):
            content = response.json()
        ticket = content.get("Ticket") if isinstance(content, dict) else None
        if not isinstance(ticket, str):
            ticket = ""
        self._http.sanitize.add([ticket])  # before the text of a refusal is shown
        if not is_success:
            raise response.refusal(hint)
        if not ticket:
            raise response.error("The answer contains no ticket.", hint)
        return ticket

    def sessions(self) -> list[Session] | None:
        """Return the open sessions, None if the virtual proxy is not linked to this proxy.

        Raises:
            QlikError: there was no usable answer.
        """
        # Qlik help, Proxy Service API: GET /qps/{virtual proxy/}session lists them
        return self._listed("session")

    def user_sessions(self, directory: str, name: str) -> list[Session] | None:
        """Return the open sessions of one user, None if the virtual proxy is not linked to this proxy.

        Raises:
            QlikError: there was no usable answer.
        """
        # Qlik help, Proxy Service API: GET /qps/{virtual proxy/}user/{directory}/{user id}
        path = f"user/{urllib.parse.quote(directory, safe='')}/{urllib.parse.quote(name, safe='')}"
        return self._listed(path)

    def _listed(self, path: str) -> list[Session] | None:
        response = self._send("GET", path)
        if response.status == 404:
            return None
        content = response.json() if response.status == 200 else None
        if not isinstance(content, list) or not all(isinstance(one, dict) and one.get("SessionId") for one in content):
            raise response.error(f"The answer was {response.status}, which this API does not document.", _HINT)
        return [
            Session(
                str(one["SessionId"]),
                f"{one.get('UserDirectory') or ''}\\{one.get('UserId') or ''}",
                _attributes(one.get("Attributes")),
            )
            for one in content
        ]

    def end(self, session: Session) -> None:
        """End one session. It is not an error if it has already ended.

        Raises:
            QlikError: it may still be open.
        """
        # Qlik help, Proxy Service API: DELETE /qps/{virtual proxy/}session/{id}
        path = f"session/{urllib.parse.quote(session.id, safe='')}"
        response = self._send("DELETE", path)
        if response.status not in (200, 204, 404):
            raise response.error(f"The answer was {response.status}, which this API does not document.", _HINT)

    def _send(self, method: str, path: str, *, body: t.Any = None) -> Response:
        below = f"{self.base}/qps/{self._prefix}".rstrip("/")
        shown = f"{method} {below}/{path.partition('/')[0]}"  # without the id of a session
        request = Request(method, f"{below}/{path}", query={"xrfkey": self._xrfkey}, body=body, shown=shown)
        return self._http.send(request)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def qps_opener(options: t.Mapping[str, t.Any], files: PrivateFiles) -> t.Callable[..., QpsClient]:
    """Return QpsClient with the arguments from the connection options.

    Args:
        options: options of the task. The certificate of the API is always issued by Qlik's own CA.
        files: stores keys and certificates that were given as text.

    Raises:
        InputError: a file cannot be read, or has another content.
    """
    return functools.partial(
        QpsClient,
        verify=verification(options, "ca_path", files),
        client_cert=client_certificate(options, files),
        timeout=(options["connect_timeout"], options["read_timeout"]),
        http_proxy=options.get("http_proxy"),
    )


def _attributes(listed: t.Any) -> tuple[tuple[str, str], ...] | None:
    """Return names and values; None if there is no list of objects (Qlik help, "Add session": one name in each)."""
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    return tuple((str(name), str(value)) for one in listed for name, value in one.items())
