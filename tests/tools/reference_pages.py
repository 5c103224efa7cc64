# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the pages of the documentation that are tables of the code: troubleshooting, QMC labels, options of modules.

Usage: reference_pages.py [--check] DIRECTORY

With --check, nothing is written, and the exit status is 1 if a page differs from the code.
"""

from __future__ import annotations

import http
import re
import sys
import typing as t
from pathlib import Path

import yaml
from ansible.utils.plugin_docs import get_docstring
from public_names import Fragments

from ansible_collections.sensible.qlik.plugins.module_utils._http.failures import FAILURES, verification_failure
from ansible_collections.sensible.qlik.plugins.module_utils._http.server_texts import page_text
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import QRS_NAMES, SPEC

ROOT = Path(__file__).resolve().parents[2]
SITUATIONS = ROOT / "tests/unit/plugins/module_utils/situations.yml"
HEADER = """\
..
  Copyright (c) 2026, The sensible.qlik contributors
  GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. Written by `make generate`. Changes are overwritten.

.. _ansible_collections.sensible.qlik.docsite.{name}:

{title}
{line}

{introduction}
"""
CONTENTS = """
.. contents::
   :local:
   :depth: 1
"""
REQUESTS = {"websocket": "Websocket", "repository": "Repository (QRS)"}
UNTRUSTED = ("hostname mismatch", "expired", "certificate verify failed: unable to get local issuer certificate")
LABEL = re.compile(r"QMC label B\((.*?)\)(?: for (https?))?")
FIRST = {
    "jwt_virtual_proxy": [
        *("prefix", "jwt_public_key_certificate", "load_balancing_server_nodes", "proxies"),
        "websocket_cross_origin_white_list",
    ],
    "jwt_virtual_proxies": ["virtual_proxies", "purge", "purge_tag"],
    "virtual_proxy_info": ["prefixes", "tags", "authentication_methods", "expires_within"],
    "site_info": [],
    "login_check": ["logins", "proxy_urls", "wait", "skip_checks", "qps_urls"],
    "logout": ["prefix", "users", "qps_urls"],
    "jwks_info": ["url", "path", "jwks", "issue_certificates", "ownca_path"],
}
"""The options that a first task needs, by module."""


def page(name: str, title: str, introduction: str, *parts: str) -> str:
    """Return a page."""
    return HEADER.format(name=name, title=title, line="=" * len(title), introduction=introduction) + "".join(parts)


def headed(title: str, mark: str) -> str:
    """Return a heading."""
    return f"\n{title}\n{mark * len(title)}\n\n"


def table(heads: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    """Return a table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (heads, *rows):
        lines += [f"   {'*' if index == 0 else ' '} - {cell}".rstrip() for index, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def documented(module: str) -> dict[str, t.Any]:
    """Return the documentation of a module with its fragments."""
    path = ROOT / f"plugins/modules/{module}.py"
    return dict(get_docstring(str(path), Fragments(ROOT), plugin_type="module")[0])


# ---- Troubleshooting


def troubleshooting() -> str:
    """Return the page with the answers of servers and their explanations."""
    sections: dict[str, dict[tuple[str, str], list[dict[str, t.Any]]]] = {}
    places: dict[tuple[str, str, str], str] = {}
    for one in yaml.safe_load(SITUATIONS.read_text(encoding="utf-8")):
        texts = (_plain(one.get("cause", "")), _plain(one.get("remedy", "")))
        section = REQUESTS.get(one["request"]) or f"Login: {_status(one)}"
        section = places.setdefault((one["request"], *texts), section)
        sections.setdefault(section, {}).setdefault(texts, []).append(one)
    parts = [_unanswered()]
    for section in sorted(sections, key=lambda name: (not name.startswith("Login"), name == "Repository (QRS)", name)):
        parts.append(headed(section, "-"))
        for (cause, remedy), situations in sections[section].items():
            seen = dict.fromkeys(_seen(one) for one in situations)
            parts.append(_entry(situations[0]["situation"], " or ".join(seen), cause, remedy))
    introduction = """\
Find the message or the answer of the server with the search of your browser. Modules, roles and reports explain
answers with these causes and remedies. If a user cannot log in, run :ansplugin:`sensible.qlik.login_check#module` with
the token of this user first: it examines the token, the settings of the virtual proxy and the clocks, and names the
cause. Values such as hosts and times are examples."""
    return page("troubleshooting", "Troubleshooting", introduction, CONTENTS, *parts)


def _unanswered() -> str:
    rows = [(one.message, one.hint) for one in FAILURES if one.message]
    rows += [one.without for one in FAILURES if one.without]
    rows += [verification_failure(text, "ca_path") for text in UNTRUSTED]
    rows.append(verification_failure(UNTRUSTED[-1], "proxy_ca_path"))
    parts = [headed("No valid answer", "-"), "The connection failed before Qlik Sense could answer.\n\n"]
    # Several messages have two causes, which differ in whether a client certificate is sent.
    remedies: dict[str, dict[str, None]] = {}
    for message, hint in rows:
        remedies.setdefault(message.format("its name"), {})[hint] = None
    return "".join(
        [
            *parts,
            table(
                ("Message", "Remedy"), [(_escaped(one), _escaped(" Or: ".join(some))) for one, some in remedies.items()]
            ),
        ]
    )


def _entry(title: str, seen: str, cause: str, remedy: str) -> str:
    fields = {"Answer": seen, "Cause": _escaped(cause), "Remedy": _escaped(remedy)}
    return headed(title, "~") + "".join(f":{name}: {text}\n" for name, text in fields.items() if text)


def _status(situation: dict[str, t.Any]) -> str:
    code = situation.get("status", situation.get("csrf_token", 101))
    if code is None:
        return "the connection ends"
    status = http.HTTPStatus(code)
    return f"{status.value} {status.phrase}"


def _seen(situation: dict[str, t.Any]) -> str:
    """Return the answer of a server as users see it."""
    if "message" in situation:
        return _literal(_plain(situation["message"]))
    if "messages" in situation:
        return ", ".join(_literal(_websocket_text(one)) for one in situation["messages"])
    headers = [
        f"{name}: {value}".replace("127.0.0.1", "qlik.example.com")
        for name, value in situation.get("headers", {}).items()
        if name != "Date"
    ]
    body = re.sub(r"\s+", " ", page_text(situation.get("body", ""))).strip()
    return ", ".join(map(_literal, filter(None, (_status(situation), *headers, body))))


def _websocket_text(message: dict[str, t.Any]) -> str:
    values = [str(message["params"][name]) for name in ("message", "qSessionState") if name in message["params"]]
    return ": ".join([message["method"], *values])


def _plain(text: str) -> str:
    return re.sub("<<(.*?)>>", r"\1", text)  # what differs from run to run


def _literal(text: str) -> str:
    return f"``{text}``"


def _escaped(text: str) -> str:
    """Return a text of a message as reStructuredText."""
    text = re.sub(r"([\\*`|])", r"\\\1", text)
    return re.sub(r"(?<!\w)(\w+_\w+(?:\.pem)?)(?!\w)", r"``\1``", text)


# ---- QMC labels


def qmc_labels() -> str:
    """Return the page with the options of a virtual proxy, their labels in the QMC and the fields of QRS."""
    documentation = documented("jwt_virtual_proxy")["options"]
    rows, unknown = [], []
    fields = {**QRS_NAMES, "proxies": "settings.virtualProxies of ProxyService"}
    for name, field in fields.items():
        found = LABEL.search(" ".join(_texts(documentation[name])))
        cells = (*_names(name), f"``{field.split()[0]}``{field.removeprefix(field.split()[0])}")
        if found:
            rows.append((found[1] + (f" ({found[2]})" if found[2] else ""), *cells))
        else:
            unknown.append(cells)
    introduction = """\
The options of a virtual proxy are named after the fields of the repository (QRS), in snake_case. This table has their
labels in the QMC, in the English user interface. Labels can differ between releases."""
    return page(
        "qmc_labels",
        "QMC labels, options and QRS fields",
        introduction,
        "\n"
        + table(("QMC label", "Option", "Field of VirtualProxyConfig"), sorted(rows, key=lambda row: row[0].lower())),
        headed("Options without a known label", "-"),
        table(("Option", "Field of VirtualProxyConfig"), unknown),
    )


def _names(name: str) -> tuple[str]:
    aliases = SPEC[name].get("aliases", [])
    option = f":ansopt:`sensible.qlik.jwt_virtual_proxy#module:{name}`"
    return (option + "".join(f" or ``{alias}``" for alias in aliases),)


def _texts(option: dict[str, t.Any]) -> list[str]:
    description = option["description"]
    return description if isinstance(description, list) else [description]


# ---- Options of modules


_CONNECTION = """\
All modules except ``jwks_info`` have these options. Set them once, with ``module_defaults`` for the group
``sensible.qlik.qlik`` or with environment variables
(:ref:`Signing in <ansible_collections.sensible.qlik.docsite.guide_signing_in>`).

"""


def module_options() -> str:
    """Return the page with the first options of each module, then the others, and the connection options at the end."""
    connection = documented("site_info")["options"]  # it has no others
    parts = []
    for module, first in FIRST.items():
        documentation = documented(module)
        options = documentation["options"]
        parts += [
            headed(module, "-"),
            f":ansplugin:`sensible.qlik.{module}#module`: {documentation['short_description']}.\n",
        ]
        if first:
            rows = [(_option(module, name), _default(options[name]), _first_sentence(options[name])) for name in first]
            parts += ["\n", table(("Option", "Default", "Meaning"), rows)]
        else:
            parts.append("\nIt has the connection options only.\n")
        if others := [_option(module, name) for name in sorted(options) if name not in [*first, *connection]]:
            parts.append("\nOther options: " + ", ".join(others) + ".\n")
    parts += [
        headed("Connection options", "-"),
        _CONNECTION,
        table(
            ("Option", "Default", "Meaning"),
            [
                (_option("site_info", name), _default(one), _first_sentence(one))
                for name, one in sorted(connection.items())
            ],
        ),
    ]
    introduction = """\
``ansible-doc`` and the pages of the modules sort options by name. Here, the options that a first task needs are at the
top of each module, and the connection options, which are the same for all modules, are at the end."""
    return page("module_options", "Modules by their first options", introduction, CONTENTS, *parts)


def _option(module: str, name: str) -> str:
    return f":ansopt:`sensible.qlik.{module}#module:{name}`"


def _default(option: dict[str, t.Any]) -> str:
    if option.get("required"):
        return "required"
    default = option.get("default")
    return "" if default is None else f"``{str(default).lower() if isinstance(default, bool) else default}``"


def _first_sentence(option: dict[str, t.Any]) -> str:
    sentence = re.split(r"(?<=\.)\s", _texts(option)[0].strip())[0]
    sentence = re.sub(r"\b[CVOE]\((.*?)\)", r"``\1``", sentence)
    return re.sub(r"\b[BPM]\((.*?)(?:#\w+)?\)", r"**\1**", sentence)


PAGES = {"troubleshooting": troubleshooting, "qmc_labels": qmc_labels, "module_options": module_options}


def main(directory: Path, *, check: bool) -> int:
    """Write or compare the pages. Returns 1 if a page differs."""
    status = 0
    for name, content in PAGES.items():
        path, text = directory / f"{name}.rst", content()
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} differs from the code. Run: make generate", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[-1]), check="--check" in sys.argv[1:-1]))
