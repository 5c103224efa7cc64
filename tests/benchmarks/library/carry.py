# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that only returns the options of jwt_virtual_proxies, to measure the cost of Ansible itself."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy import model as _virtual_proxy


def main() -> None:
    options = _virtual_proxy.argument_spec()
    entries = {"type": "list", "elements": "dict", "required": True, "options": options}
    module = AnsibleModule(argument_spec={"virtual_proxies": entries}, supports_check_mode=True)
    given = [
        {name: value for name, value in entry.items() if value is not None}
        for entry in module.params["virtual_proxies"]
    ]
    module.exit_json(changed=False, virtual_proxies=given, invocation={})


if __name__ == "__main__":
    main()
