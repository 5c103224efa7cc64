# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run curl, with the options that examples by Qlik and others use."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

from clients import Answer, ClientError, ProxyLogin

from qlik_sense_simulator.testing import RunningSite

XRFKEY = "abcdefghij123456"


class Curl:
    """The command curl.

    Args:
        site: where to connect to.
        directory: for headers and cookies, which have no place in a list of processes.
        user: user directory and user id.
        login: through a proxy, in place of the repository's own port; cookies are stored and sent.
    """

    name: t.ClassVar[str] = "curl"

    def __init__(
        self,
        site: RunningSite,
        directory: pathlib.Path,
        *,
        user: tuple[str, str] | None = None,
        login: ProxyLogin | None = None,
    ) -> None:
        directory.mkdir(parents=True)
        self.version = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[
            1
        ]
        self.proxy: str = site.ready["nodes"][0]["proxy_url"]
        self.cookies = directory / "cookies.txt"
        self._headers = directory / "headers.txt"
        self._proxy_authority = ["--cacert", str(site.pki / "proxy_root.pem")]
        self._options = ["--silent", "--show-error", "--noproxy", "*"]
        if login:
            self._options += self._proxy_authority
            self.base = f"{login.url}/{login.prefix}"
            self._options += ["--cookie", str(self.cookies), "--cookie-jar", str(self.cookies)]
            self._set_headers(Authorization=f"Bearer {login.token}")
        else:
            self.base = site.ready["qrs_url"]
            self._options += ["--cacert", str(site.pki / "root.pem")]
            self._options += ["--cert", str(site.pki / "client.pem"), "--key", str(site.pki / "client_key.pem")]
            user_directory, user_id = user or ("INTERNAL", "sa_api")
            self._set_headers(**{"X-Qlik-User": f"UserDirectory={user_directory}; UserId={user_id}"})

    def forget_token(self) -> None:
        """Send no token from now on, only the cookie."""
        self._set_headers()

    def get(self, path: str, **query: str) -> Answer:
        pairs = [part for name, value in query.items() for part in ("--data-urlencode", f"{name}={value}")]
        return self._call(path, "--get", *pairs)

    def post(self, path: str, body: t.Any) -> Answer:
        return self._call(path, "--request", "POST", body=body)

    def put(self, path: str, body: t.Any) -> Answer:
        return self._call(path, "--request", "PUT", body=body)

    def delete(self, path: str) -> Answer:
        return self._call(path, "--request", "DELETE")

    def page(self, path: str) -> Answer:
        """Return the page at a path below the prefix, after redirects."""
        return self._run("--location", f"{self.base}/{path}")

    def with_password(self, path: str, *, user: str, password: str, agent: str) -> Answer:
        """Return the answer to a path below /qrs/ through the default virtual proxy, as in Qlik's example.

        Args:
            path: below /qrs/.
            user: DIRECTORY\\user.
            password: read from a file, as it has no place in a list of processes either.
            agent: the User-Agent.
        """
        secrets = self._headers.with_name("curlrc")
        secrets.write_text(f'user = "{user}:{password}"\n'.replace("\\", "\\\\"))
        options = ["--config", str(secrets), "--ntlm", "--location", "--user-agent", agent, "--cookie", ""]
        return self._run(*self._proxy_authority, *options, f"{self.proxy}/qrs/{path}?Xrfkey={XRFKEY}")

    def close(self) -> None:
        """Do nothing: each request is a process of its own."""

    def _set_headers(self, **headers: str) -> None:
        headers["X-Qlik-Xrfkey"] = XRFKEY
        self._headers.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))

    def _call(self, path: str, *options: str, body: t.Any = None) -> Answer:
        url = f"{self.base}/qrs/{path}?Xrfkey={XRFKEY}"
        if body is None:
            return self._run(*options, url)
        content = ["--header", "Content-Type: application/json", "--data-binary", "@-"]
        return self._run(*options, *content, url, sent=json.dumps(body))

    def _run(self, *arguments: str, sent: str = "") -> Answer:
        shown = ["--write-out", "\n%{http_code} %{content_type}", "--header", f"@{self._headers}"]
        command = ["curl", *self._options, *shown, *arguments]
        done = subprocess.run(command, input=sent, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise ClientError(done.stderr)
        text, _newline, last = done.stdout.rpartition("\n")
        status, _blank, content_type = last.partition(" ")
        return Answer(int(status), json.loads(text) if content_type.startswith("application/json") else text)
