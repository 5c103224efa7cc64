# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configure Sphinx for `make docs-site`, as `antsibull-docs sphinx-init` does, but without access to the internet.

References to the documentation of Ansible become links by rule. Without that, Sphinx would download its inventory.
"""

from __future__ import annotations

import re
import typing as t

from docutils import nodes  # type: ignore[import-untyped]

project = "sensible.qlik"
copyright = "The sensible.qlik contributors"  # noqa: A001 - a name that Sphinx reads
title = html_title = html_short_title = "sensible.qlik"
extensions = ["sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_theme = "sphinx_ansible_theme"
html_theme_options = {"vcs_pageview_mode": "edit", "documentation_home_url": "index.html"}
html_show_sphinx = html_use_index = html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
default_role = "any"
nitpicky = True

ANSIBLE = "https://docs.ansible.com/ansible/latest"
_PAGES = {
    "common_return_values": "reference_appendices/common_return_values.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
}
_PLUGIN = re.compile(r"ansible_collections\.(?!sensible\.qlik\.)(\w+)\.(\w+)\.(\w+_(?:module|lookup|filter))")


def external_page(target: str) -> str:
    """Return the page of Ansible's documentation for a label or an environment variable, "" for other names."""
    if plugin := _PLUGIN.fullmatch(target):
        return "collections/{}/{}/{}.html".format(*plugin.groups())
    if target.startswith("ANSIBLE_"):
        return f"reference_appendices/config.html#envvar-{target}"
    return _PAGES.get(target, "")


def resolve(_app: t.Any, _env: t.Any, node: t.Any, content: t.Any) -> nodes.reference | None:
    """Return a link for a reference that is not part of this site, None if it is a mistake."""
    page = external_page(node["reftarget"])
    return nodes.reference("", "", content, internal=False, refuri=f"{ANSIBLE}/{page}") if page else None


def setup(app: t.Any) -> None:
    """Connect the handler of unresolved references."""
    app.connect("missing-reference", resolve)
