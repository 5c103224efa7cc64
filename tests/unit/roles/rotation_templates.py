# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of the role key_rotation, without Ansible."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import typing as t
import urllib.parse

import jinja2
from ansible.module_utils.parsing.convert_bool import boolean

TEMPLATES = pathlib.Path(__file__).parents[3] / "roles" / "key_rotation" / "templates"
OLD: dict[str, t.Any] = {"prefix": "portal", "session_cookie_header_name": "X-Qlik-Session-portal"}
NEW: dict[str, t.Any] = {
    "prefix": "portal-2",
    "session_cookie_header_name": "X-Qlik-Session-portal-2",
    "same_site_attribute_https": "none",
}


def render(name: str, slots: list[dict[str, t.Any]], **more: t.Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["bool"] = boolean
    environment.filters["regex_escape"] = re.escape
    environment.filters["regex_replace"] = lambda text, pattern, by: re.sub(pattern, by, text)
    environment.filters["urlsplit"] = urllib.parse.urlsplit
    variables = {
        "key_rotation_public_path": "portal",
        "__key_rotation_nodes": ["https://qlik1.example.com", "https://qlik2.example.com:8443"],
        "key_rotation_public_urls": ["https://www.example.com"],
        "key_rotation_validate_certs": True,
        "__key_rotation_front_end_ca_path": "/etc/root.pem",
        "key_rotation_front_end_directory": "/etc/front",
    }
    return environment.get_template(name).render(__key_rotation_slots=slots, **variables | more)


def found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


# Those that it says it needs, and one that runs processes; as Debian installs them.
NEEDED = re.findall("# Modules: (.*)", render("apache/conf.j2", [OLD]))[0].split(", ")
APACHE_MODULES = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in ("mpm_event", *NEEDED)]
