# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re
import subprocess
import typing as t

import pytest

from ansible_collections.sensible.qlik.tests.unit.roles.rotation_templates import (
    APACHE_MODULES,
    NEW,
    OLD,
    found,
    make_certificate,
    render,
    render_example,
)


class TestNginx:
    def test_one_virtual_proxy_has_no_fallback(self) -> None:
        server, http = render("nginx/server.conf.j2", [OLD]), render("nginx/http.conf.j2", [OLD])
        assert "error_page 401" not in server
        assert "portal_second" not in server
        assert "default portal;" in http

    def test_refused_request_is_sent_to_the_second_virtual_proxy(self) -> None:
        server, http = render("nginx/server.conf.j2", [NEW, OLD]), render("nginx/http.conf.j2", [NEW, OLD])
        assert server.count("error_page 401 = @portal_second;") == 2  # also where the first node does not answer
        assert "map $portal_first $portal_second {\n    portal-2 portal;\n    default portal-2;" in http
        assert '"~^portal\\-2\\.\\d+$" portal-2;' in http
        assert "location ^~ /portal-2/ {" in server
        assert "proxy_redirect ~^(https?://[^/]+)?/(?:portal\\-2|portal)(/.*)?$ $1/portal$2;" in server

    def test_same_site_none_is_kept(self) -> None:
        routes = [line for line in render("nginx/http.conf.j2", [NEW, OLD]).splitlines() if "portal_route=" in line]
        assert ["SameSite=None" in line for line in routes] == [True, False]

    def test_one_node_has_no_fallback(self) -> None:
        one = {"__key_rotation_nodes": ["https://qlik1.example.com"]}
        assert "@portal_other" not in render("nginx/server.conf.j2", [NEW, OLD], **one)
        assert "    * portal_1;" in render("nginx/http.conf.j2", [NEW, OLD], **one)

    @pytest.mark.skipif(found("nginx") is None, reason="there is no nginx here")
    @pytest.mark.parametrize(
        ("written", "unwritten"), [([OLD], [OLD]), ([NEW, OLD], [NEW, OLD]), ([NEW, OLD], [OLD]), ([NEW], [NEW, OLD])]
    )
    def test_nginx_accepts_the_first_written_file_alone(
        self, tmp_path: pathlib.Path, written: list[dict[str, t.Any]], unwritten: list[dict[str, t.Any]]
    ) -> None:
        # Name resolution is not what is tested.
        variables = {
            "__key_rotation_nodes": ["https://localhost:1", "https://127.0.0.1:2"],
            "__key_rotation_candidate": {"path": tmp_path},
            "key_rotation_front_end_ca_path": make_certificate(tmp_path)[0],
        }
        for name, slots in (("server.conf", written), ("http.conf", unwritten), ("nginx.conf", [])):
            (tmp_path / name).write_text(render(f"nginx/{name}.j2", slots, **variables))
        command = [str(found("nginx")), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "syntax is ok" in checked.stderr


class TestHaproxy:
    def test_token_is_routed_by_its_key(self) -> None:
        text = render_example("portal.cfg.j2", [NEW, OLD])
        assert text.index('jwt_verify(txn.alg,"/etc/front/portal.portal-2.pub")') < text.index("default_backend")
        assert "default_backend portal-to-portal-2\n" in text
        assert "server node2 qlik2.example.com:8443 init-addr last,libc,none ssl verify required" in text
        assert "verifyhost qlik2.example.com ca-file /etc/root.pem" in text

    @pytest.mark.skipif(found("haproxy") is None, reason="there is no haproxy here")
    @pytest.mark.parametrize("slots", [[OLD], [NEW, OLD], [NEW]])
    def test_haproxy_accepts_the_file(self, tmp_path: pathlib.Path, slots: list[dict[str, t.Any]]) -> None:
        timeouts = "\n".join(f"    timeout {name} 5s" for name in ("connect", "client", "server"))
        (tmp_path / "defaults").write_text(f"defaults\n{timeouts}\n")
        (tmp_path / "cfg").write_text(render_example("portal.cfg.j2", slots, ca_file=make_certificate(tmp_path)[0]))
        command = [str(found("haproxy")), "-c", "-f", str(tmp_path / "defaults"), "-f", str(tmp_path / "cfg")]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


class TestApache:
    def test_one_virtual_proxy_has_no_fallback(self) -> None:
        text = render_example("portal.conf.j2", [OLD])
        assert "ErrorDocument" not in text
        assert text.count("[P,NE]") == 1

    def test_only_allowed_hosts_are_accepted(self) -> None:
        text = render_example("portal.conf.j2", [OLD | {"websocket_cross_origin_white_list": ["Portal.example.com"]}])
        [allowed] = re.findall(r'HTTP_HOST}" "!(.*)" \[NC\]', text)
        names = ("qlik1.example.com", "qlik2.example.com", "www.example.com", "portal.example.com")
        assert all(re.search(allowed, name) for name in (*names, "www.example.com:8443"))
        assert not any(re.search(allowed, name) for name in ("example.com", "x.www.example.com", "www.example.com.x"))

    def test_refused_request_is_sent_to_the_second_virtual_proxy(self) -> None:
        text = render_example("portal.conf.j2", [NEW, OLD])
        assert 'ErrorDocument 401 "/portal.second?%{QUERY_STRING}"' in text
        targets = re.findall(r'RewriteRule "\^/(\S+)" "balancer://portal-nodes/(\S+)%1"', text)
        assert targets == [
            (r"portal\-2/", "portal-2"),
            (r"portal\.second$", "portal-2"),  # with the cookie of the old one
            (r"portal\.second$", "portal"),
            ("portal/", "portal"),  # likewise
            ("portal/", "portal-2"),
        ]

    def test_same_site_none_is_kept(self) -> None:
        routes = [
            line for line in render_example("portal.conf.j2", [NEW, OLD]).splitlines() if "add Set-Cookie" in line
        ]
        assert ["SameSite=None" in line for line in routes] == [True, False]

    def test_certificates_of_proxies_are_verified(self) -> None:
        text = render_example("portal.conf.j2", [OLD])
        assert (
            'SSLProxyVerify require\n    SSLProxyVerifyDepth 3\n    SSLProxyCACertificateFile "/etc/root.pem"' in text
        )
        assert "CheckPeerName" not in text  # on is the default

    @pytest.mark.skipif(found("apache2") is None, reason="there is no Apache here (Debian: apt install apache2-bin)")
    @pytest.mark.parametrize("slots", [[OLD], [NEW, OLD], [NEW]])
    def test_apache_accepts_file_in_place_and_as_candidate(
        self, tmp_path: pathlib.Path, slots: list[dict[str, t.Any]]
    ) -> None:
        text = render_example("portal.conf.j2", slots, ca_file=make_certificate(tmp_path)[0])
        (tmp_path / "portal.conf").write_text(text)
        lines = [*APACHE_MODULES, f"ServerRoot {tmp_path}", f"DefaultRuntimeDir {tmp_path}", "ServerName localhost"]
        lines += ["ErrorLog log", "<VirtualHost *:1>", f"Include {tmp_path}/portal.conf", "</VirtualHost>"]
        (tmp_path / "conf").write_text("\n".join(lines) + "\n")
        command = [str(found("apache2")), "-t", "-f", str(tmp_path / "conf")]
        for candidate in ([], ["-c", f"Include {tmp_path}/portal.conf"]):
            checked = subprocess.run([*command, *candidate], capture_output=True, text=True, check=False)
            assert "Syntax OK" in checked.stderr
