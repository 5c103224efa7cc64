# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run third-party clients, each in its own process, through one interface."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import threading
import typing as t
import urllib.parse
import urllib.request

from qlik_sense_simulator.testing import RunningSite

HERE = pathlib.Path(__file__).parent
# Seconds, as many as a slow machine may take.
_PATIENCE = 60.0


class ClientError(Exception):
    """An error that the client reports, with its message."""


class Answer(t.NamedTuple):
    """Status and body of a response as a client returns them. Some clients return only the text of a refusal."""

    status: int
    body: t.Any


class Pipe:
    """A program that answers each line of input by a line of output.

    Args:
        command: the program.
        environment: more for its environment.
    """

    def __init__(self, command: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> None:
        # The site is on this machine, whatever proxy the machine uses for others.
        more = {"NO_PROXY": "*", "no_proxy": "*", **(environment or {})}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **more}
        )

    def call(self, name: str, *arguments: t.Any) -> t.Any:
        """Call a method of the client.

        Raises:
            ClientError: the client did, or does not answer.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        timer = threading.Timer(_PATIENCE, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            raise ClientError(f"There is no answer to {name}.")
        answer = json.loads(line)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the program."""
        self._process.communicate(timeout=60)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProxyLogin:
    """The address and the token for requests to the repository through a proxy.

    Args:
        url: the proxy.
        prefix: of the virtual proxy.
        token: for "Authorization: Bearer".
    """

    url: str
    prefix: str
    token: str


class Client(t.Protocol):
    """The interface of all clients. Paths are below /qrs/."""

    name: t.ClassVar[str]
    version: str

    def close(self) -> None:
        """End the client's process or session."""

    def get(self, path: str, **query: str) -> Answer:
        """Send GET."""

    def post(self, path: str, body: t.Any) -> Answer:
        """Send POST with a JSON body."""

    def put(self, path: str, body: t.Any) -> Answer:
        """Send PUT with a JSON body."""

    def delete(self, path: str) -> Answer:
        """Send DELETE."""


class QrsInteract:
    """The npm package qrs-interact, by EA Power Tools.

    Args:
        site: where to connect to.
        modules: the node_modules directory that it is installed in.
        user: the value of X-Qlik-User; the client's own if not given.
        login: through a proxy, in place of the repository's own port.
    """

    name: t.ClassVar[str] = "qrs-interact"

    def __init__(
        self, site: RunningSite, modules: pathlib.Path, *, user: str | None = None, login: ProxyLogin | None = None
    ) -> None:
        self.version: str = json.loads((modules / self.name / "package.json").read_text())["version"]
        url = urllib.parse.urlsplit(login.url if login else site.ready["qrs_url"])
        configuration: dict[str, t.Any] = {"hostname": url.hostname, "portNumber": url.port}
        if login:
            # No certificates, or it sends them instead.
            configuration.update(virtualProxyPrefix=f"/{login.prefix}", certificates={})
            configuration["headers"] = {"Authorization": f"Bearer {login.token}", "Content-Type": "application/json"}
        else:
            configuration["localCertPath"] = str(site.pki)
        if user:
            configuration["repoAccount"] = user
        self.pipe = Pipe(["node", str(HERE / "qrs_interact.cjs")], {"NODE_PATH": str(modules)})
        self.version += f" on Node {self.pipe.call('configure', configuration)}"
        self.close = self.pipe.close

    def get(self, path: str, **query: str) -> Answer:
        # It encodes a query itself if nothing in it is encoded yet, as users find out who do not do it.
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self._call("Get", f"{path}?{text}" if text else path)

    def post(self, path: str, body: t.Any) -> Answer:
        return self._call("Post", path, body, "json")

    def put(self, path: str, body: t.Any) -> Answer:
        return self._call("Put", path, body)

    def delete(self, path: str) -> Answer:
        return self._call("Delete", path)

    def _call(self, name: str, *arguments: t.Any) -> Answer:
        try:
            return Answer(**self.pipe.call(name, *arguments))
        except ClientError as error:
            refusal = re.fullmatch(r"Received error code: (\d+)::(.*)", str(error), re.DOTALL)
            if refusal is None:
                raise
            return Answer(int(refusal[1]), refusal[2])


class QsApi:
    """The PyPI package qsAPI, by Rafael Sanz.

    Args:
        site: where to connect to.
        version: that is installed.
        user: user directory and user id; the client's own if not given.
        password: of the Windows user, to sign in at the first proxy instead of the repository's own port.

    Raises:
        ClientError: the site refuses the login.
    """

    name: t.ClassVar[str] = "qsAPI"

    def __init__(
        self,
        site: RunningSite,
        *,
        version: str,
        user: tuple[str, str] | None = None,
        password: str | None = None,
    ) -> None:
        self.version = version
        configuration: dict[str, t.Any] = {"verbosity": "CRITICAL"}
        if password:
            # Only like this does it take another port than 443.
            configuration["proxy"] = site.ready["nodes"][0]["proxy_url"]
        else:
            url = urllib.parse.urlsplit(site.ready["qrs_url"])
            configuration.update(proxy=url.hostname, port=url.port, certificate=str(site.pki / "client.pem"))
        if user:
            configuration["user"] = [*user, password] if password else user
        self.pipe = Pipe([sys.executable, "-W", "ignore", str(HERE / "qsapi_pipe.py")])
        self.version += f" on {self.pipe.call('configure', configuration)}"
        self.close = self.pipe.close

    def get(self, path: str, **query: str) -> Answer:
        return Answer(**self.pipe.call("driver.get", f"/qrs/{path}", query))

    def post(self, path: str, body: t.Any) -> Answer:
        return Answer(**self.pipe.call("driver.post", f"/qrs/{path}", None, body))

    def put(self, path: str, body: t.Any) -> Answer:
        return Answer(**self.pipe.call("driver.put", f"/qrs/{path}", None, body))

    def delete(self, path: str) -> Answer:
        return Answer(**self.pipe.call("driver.delete", f"/qrs/{path}"))


class Informatiqal:
    """An npm package by Informatiqal, with the configuration that both of them have.

    Args:
        site: where to connect to.
        modules: the node_modules directory that it is installed in.
        user: user directory and user id.
        login: through a proxy, in place of the repository's own port.
    """

    name: t.ClassVar[str]
    script: t.ClassVar[str]

    def __init__(
        self,
        site: RunningSite,
        modules: pathlib.Path,
        *,
        user: tuple[str, str] | None = None,
        login: ProxyLogin | None = None,
    ) -> None:
        self.version: str = json.loads((modules / self.name / "package.json").read_text())["version"]
        url = urllib.parse.urlsplit(login.url if login else site.ready["qrs_url"])
        configuration: dict[str, t.Any] = {"host": url.hostname, "port": url.port, "pki": str(site.pki)}
        configuration["user"] = user or ("INTERNAL", "sa_api")
        if login:
            configuration.update(prefix=login.prefix, credentials={"token": login.token})
        self.pipe = Pipe(["node", str(HERE / self.script)], {"NODE_PATH": str(modules)})
        self.version += f" on Node {self.pipe.call('configure', configuration)}"
        self.close = self.pipe.close
        self._configuration = configuration


class QlikRestApi(Informatiqal):
    """The npm package qlik-rest-api."""

    name: t.ClassVar[str] = "qlik-rest-api"
    script: t.ClassVar[str] = "qlik_rest_api.mjs"

    def move(self, url: str, **configuration: t.Any) -> None:
        """Send further requests to another port.

        Args:
            url: of the port.
            configuration: service and credentials there, in the words of its own configuration.
        """
        parts = urllib.parse.urlsplit(url)
        self.pipe.call(
            "configure", {**self._configuration, "host": parts.hostname, "port": parts.port, **configuration}
        )

    def get(self, path: str, **query: str) -> Answer:
        # Not encoded, as its manual shows it.
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self._call("Get", f"{path}?{text}" if text else path)

    def post(self, path: str, body: t.Any) -> Answer:
        return self._call("Post", path, body)

    def put(self, path: str, body: t.Any) -> Answer:
        return self._call("Put", path, body)

    def delete(self, path: str) -> Answer:
        return self._call("Delete", path)

    def _call(self, name: str, *arguments: t.Any) -> Answer:
        try:
            return Answer(**self.pipe.call(name, *arguments))
        except ClientError as error:
            # It keeps the text of a refusal to itself.
            refusal = re.fullmatch(r"Request failed with status code (\d+)", str(error))
            if refusal is None:
                raise
            return Answer(int(refusal[1]), None)


class QlikRepoApi(Informatiqal):
    """The npm package qlik-repo-api, which has methods instead of paths."""

    name: t.ClassVar[str] = "qlik-repo-api"
    script: t.ClassVar[str] = "qlik_repo_api.mjs"


class QlikApi:
    """The npm package @qlik/api, Qlik's own.

    Args:
        site: where to connect to.
        modules: the node_modules directory that it is installed in.
        configuration: either the token that its function getAccessToken gives, for a JWT virtual proxy of the first
            node, or the file pfx and its passphrase, for the engine of that node.
    """

    name: t.ClassVar[str] = "@qlik/api"

    def __init__(self, site: RunningSite, modules: pathlib.Path, **configuration: str) -> None:
        self.version: str = json.loads((modules / self.name / "package.json").read_text())["version"]
        environment = {"NODE_PATH": str(modules), "NODE_EXTRA_CA_CERTS": str(site.pki / "proxy_root.pem")}
        self.pipe = Pipe(["node", str(HERE / "qlik_api.mjs")], environment)
        node = site.ready["nodes"][0]
        host = f"{node['proxy_url']}/jwt" if "token" in configuration else node["engine_url"]
        self.version += f" on Node {self.pipe.call('configure', {'host': host, **configuration})}"
        self.close = self.pipe.close
        self._before = len(requests_of(site))

    def rest(self, path: str) -> Answer:
        """Send a GET below the prefix."""
        answer = self.pipe.call("rest", path)
        return Answer(answer["status"], answer["data"])

    def open_app(self, app_id: str) -> tuple[list[str], str]:
        """Open an app that does not exist; gives the events of the websocket and the client's message."""
        answer = self.pipe.call("openApp", app_id)
        return answer["events"], answer["error"]

    def requests(self, site: RunningSite) -> list[dict[str, t.Any]]:
        """Return the requests at the site's proxies and engines since the client was created."""
        return [entry for entry in requests_of(site)[self._before :] if entry["port"] != "qrs"]


class Pouc:
    """The npm packages qlik-api-qrs and qlik-api-qps, by the same author.

    Args:
        site: where to connect to.
        modules: the node_modules directory that they are installed in.
    """

    name: t.ClassVar[str] = "qlik-api-qrs, qlik-api-qps"

    def __init__(self, site: RunningSite, modules: pathlib.Path) -> None:
        packages = [json.loads((modules / name / "package.json").read_text()) for name in self.name.split(", ")]
        self.version: str = ", ".join(package["version"] for package in packages)
        self.pipe = Pipe(["node", "--no-deprecation", str(HERE / "pouc.mjs")], {"NODE_PATH": str(modules)})
        configuration = {
            "qrsRestUri": f"{site.ready['qrs_url']}/qrs/",
            "qpsRestUri": f"{site.ready['nodes'][0]['qps_url']}/qps/",
            "pki": str(site.pki),
        }
        self.version += f" on Node {self.pipe.call('configure', configuration)}"
        self.close = self.pipe.close

    def qrs(self, *steps: t.Any) -> t.Any:
        """Call a method: the steps to it, and a body or a query if it takes one."""
        return self._call("qrs", *steps)

    def qps(self, *steps: t.Any) -> t.Any:
        """Call a method: group and name, and its arguments."""
        group, name, *values = steps
        return self.pipe.call("qps", [group, name], *values)

    def _call(self, api: str, *steps: t.Any) -> t.Any:
        path = [step for step in steps if not isinstance(step, dict)]
        return self.pipe.call(api, path, *(step for step in steps if isinstance(step, dict)))


def requests_of(site: RunningSite) -> list[dict[str, t.Any]]:
    """Return the simulator's log of requests."""
    context = ssl.create_default_context(cafile=site.pki / "root.pem")
    context.load_cert_chain(site.pki / "client.pem", site.pki / "client_key.pem")
    with urllib.request.urlopen(f"{site.ready['qrs_url']}/simulator/requests", context=context) as answer:
        return t.cast("list[dict[str, t.Any]]", json.load(answer)["requests"])


def install_npm_packages(directory: pathlib.Path) -> pathlib.Path:
    """Install the packages of package-lock.json, unless they are there already.

    Args:
        directory: where to.

    Returns:
        The node_modules directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    modules = directory / "node_modules"
    lock = directory / "package-lock.json"
    wanted = (HERE / "package-lock.json").read_bytes()
    if not (modules / ".package-lock.json").exists() or not lock.exists() or lock.read_bytes() != wanted:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, directory / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=directory, check=True, timeout=300)
    return modules
