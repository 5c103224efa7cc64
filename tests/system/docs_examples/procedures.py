# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to follow examples in README.md, the READMEs of roles and the guides, where the text does not define it.

Commands, playbooks and tasks are run. All other examples must be listed here.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from documents import COLLECTION, Example

SITES = "-i inventory/sites.yml"
READER = " -e @variables.json"
CHECK = f"ansible-playbook sensible.qlik.provision {SITES} --limit dev --check"
ROTATE = f"ansible-playbook sensible.qlik.rotate_keys {SITES} --limit prod -e @rotation.yml"
PROMOTE = f"ansible-playbook sensible.qlik.promote {SITES} --check"
FOLLOW = "ansible-playbook follow.yml"
DRIFT = "drift -i inventory/sites.yml --limit dev || test $? = 2"
WITHOUT_SYSTEMD = "-e '{{{{\"{}\": []}}}}'"
WWW = "-i www.example.com, -e ansible_connection=local"


@dataclasses.dataclass(frozen=True)
class Procedure:
    """How to follow an example.

    Args:
        save: the file in which to save it.
        also: more files that the document mentions, by name.
        replace: texts that require hours or an answer of the user, and their replacements.
        before: a command that the document requires.
        run: a command that uses it, with {} for its file. It goes before the command that would be run otherwise.
        online: whether its lines are run in one shell, with the network of this machine in place of the simulated one.
        left_out: why it is not run.
    """

    save: str = ""
    also: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    replace: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    before: str = ""
    run: str = ""
    online: bool = False
    left_out: str = ""


_GUIDES = "docs/docsite/rst/guide_"
_ISSUER = "---\n- name: Nothing to be told\n  ansible.builtin.debug:\n"
_RELOAD = "ansible.builtin.systemd_service:\n        name: haproxy\n        state: reloaded"
_NO_RELOAD = "ansible.builtin.debug:"
_HAPROXY = "defaults\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n"
_PROXY_VARIABLES = r"""
qlik_virtual_proxies: [{prefix: portal}]
qlik_smoke_test_users: ['SMOKE\test']
qlik_jwt_private_key_path: "{{ inventory_dir }}/portal_key.pem"
qlik_proxy_ca_path: "{{ inventory_dir }}/proxy_ca.pem"
"""
_TOKEN = r"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ lookup('sensible.qlik.jwt', 'ACME\\automation', private_key_path='admin_key.pem') }}"
        dest: token.txt
        mode: "0600"
"""
_COOKIE = """
from pathlib import Path
import requests
session = requests.Session()
session.trust_env = False
headers = {"Authorization": "Bearer " + Path("token.txt").read_text()}
session.get("https://qlik.example.com/admin/qps/user", headers=headers, verify="proxy_ca.pem").raise_for_status()
print("; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies))
"""
_BUILD = f"ansible-galaxy collection build --output-path dist {COLLECTION}"
_TARBALL = "--no-deps dist/*.tar.gz"

PROCEDURES = {
    "README.md 1": Procedure(left_out="it is a diagram"),
    "README.md 2": Procedure(left_out="CI runs the demos, and test_try_site.py the commands that make site prints"),
    "README.md 3": Procedure(save="requirements.yml"),
    # Ansible Galaxy is not available to tests. The tarball takes the place of what would be downloaded from there.
    "README.md 4": Procedure(
        before=_BUILD, replace={"install -r requirements.yml": f"install -p installed {_TARBALL}"}, online=True
    ),
    "README.md 5": Procedure(replace={"-r requirements.yml": _TARBALL}, online=True),
    "README.md 6": Procedure(
        replace={
            "cd qlik-offline": "python3 -m venv offline-venv\n. offline-venv/bin/activate\ncd qlik-offline",
            "--offline": "--offline --no-deps -p ../installed-offline",
        },
        online=True,
    ),
    "README.md 7": Procedure(save="first.yml"),
    # Two sites are not yet what is declared, which is what 2 says.
    "README.md 9": Procedure(replace={"drift -i inventory/sites.yml": "drift -i inventory/sites.yml || test $? = 2"}),
    "roles/drift/README.md 1": Procedure(before=f"ansible-playbook sensible.qlik.provision {SITES} -e qlik_purge=true"),
    "roles/follow_jwks/README.md 2": Procedure(run="ansible-playbook example-1.yml -e @{}"),
    "roles/follow_jwks/README.md 3": Procedure(run="ansible-playbook example-1.yml -e @{}"),
    # Its old key is that of the portal before the first example, and of this one still.
    "roles/key_rotation/README.md 2": Procedure(
        run="ansible-playbook example-1.yml -e @{} -e key_rotation_name=embedded"
    ),
    "roles/key_rotation/README.md 1": Procedure(also={"switch_issuer.yml": _ISSUER}, replace={"32400": "0"}),
    "roles/promotion/README.md 1": Procedure(replace={"dev,test,prod": "dev,test,prod -e promote_approved=prod"}),
    "roles/promotion/README.md 4": Procedure(run=f"{PROMOTE} -e promote_source=test -e promote_target=prod -e @{{}}"),
    # It needs a Windows machine.
    f"{_GUIDES}certificates.rst 1": Procedure(run="ansible-playbook {} --syntax-check -i qlik_windows,"),
    f"{_GUIDES}certificates.rst 2": Procedure(left_out="it needs containers; tests/system/packaging has a similar one"),
    f"{_GUIDES}getting_started.rst 1": Procedure(left_out="it is a diagram"),
    f"{_GUIDES}getting_started.rst 2": Procedure(left_out="it downloads from the internet"),
    f"{_GUIDES}getting_started.rst 6": Procedure(save="portal.yml"),
    # The declaration is that of another site than the one before.
    f"{_GUIDES}getting_started.rst 10": Procedure(replace={"drift -i inventory/sites.yml --limit dev": DRIFT}),
    f"{_GUIDES}getting_started.rst 11": Procedure(save="prod.qlik_site.yml"),
    f"{_GUIDES}getting_started.rst 13": Procedure(
        also={"group_vars/qlik_proxies.yml": _PROXY_VARIABLES},
        before=f"ansible-playbook sensible.qlik.provision {SITES} --limit prod",
    ),
    f"{_GUIDES}identity_providers.rst 2": Procedure(save="follow.yml"),
    f"{_GUIDES}identity_providers.rst 4": Procedure(left_out="it is for cron; the command in it is run"),
    f"{_GUIDES}identity_providers.rst 5": Procedure(left_out="it is for a page in a browser"),
    f"{_GUIDES}identity_providers.rst 6": Procedure(
        save="front_end.yml",
        run=f"ansible-playbook front_end.yml {WWW} -e ansible_python_interpreter=$(command -v python)",
        replace={_RELOAD: _NO_RELOAD},
    ),
    f"{_GUIDES}identity_providers.rst 7": Procedure(save="idp.cfg.j2"),
    f"{_GUIDES}identity_providers.rst 8": Procedure(save="/etc/haproxy/haproxy.cfg"),
    f"{_GUIDES}identity_providers.rst 11": Procedure(
        run=f"{FOLLOW} -e @{{}} -e follow_jwks_prefix=okta "
        "-e follow_jwks_url=https://acme.okta.example/oauth2/default/v1/keys"
    ),
    f"{_GUIDES}integration.rst 1": Procedure(left_out="it is output"),
    f"{_GUIDES}integration.rst 2": Procedure(save="portal.py"),
    f"{_GUIDES}integration.rst 4": Procedure(save="portal.mjs"),
    f"{_GUIDES}integration.rst 6": Procedure(left_out="it needs .NET"),
    f"{_GUIDES}operation.rst 1": Procedure(run=f"{CHECK} -e @{{}}"),
    f"{_GUIDES}operation.rst 2": Procedure(
        run=f"ansible-playbook sensible.qlik.provision {SITES} --limit prod --check -e @{{}}"
    ),
    f"{_GUIDES}promotion.rst 4": Procedure(run=f"{PROMOTE} -e promote_source=test -e promote_target=prod -e @{{}}"),
    f"{_GUIDES}promotion.rst 5": Procedure(run=f"{PROMOTE} -e promote_source=dev -e promote_target=test -e @{{}}"),
    f"{_GUIDES}provisioning.rst 2": Procedure(run=f"{CHECK} -e @{{}}"),
    f"{_GUIDES}provisioning.rst 5": Procedure(left_out="it is output"),
    f"{_GUIDES}provisioning.rst 7": Procedure(run=f"{CHECK} -e @{{}}"),
    # The second run finds each entry as declared.
    f"{_GUIDES}provisioning.rst 8": Procedure(
        run=f"ansible-playbook sensible.qlik.provision {SITES} --limit dev -e @{{0}} && "
        f"ansible-playbook sensible.qlik.drift {SITES} --limit dev -e @{{0}} -e drift_undeclared_tag=unused"
    ),
    # Both keys are used: for the repository, and for the tokens of the smoke test.
    f"{_GUIDES}provisioning.rst 11": Procedure(
        run=f"ansible-playbook sensible.qlik.provision {SITES} --limit dev -e @{{0}} && "
        f"ansible-playbook sensible.qlik.smoke_test {SITES} --limit dev -e @{{0}}"
    ),
    f"{_GUIDES}rotation.rst 2": Procedure(
        save="rotation.yml", also={"/srv/playbooks/switch_issuer.yml": _ISSUER}, replace={"32400": "0"}
    ),
    f"{_GUIDES}rotation.rst 4": Procedure(run=f"{ROTATE} --check -e @{{}}"),
    f"{_GUIDES}rotation.rst 5": Procedure(run=f"{ROTATE} --check -e @{{}}"),
    f"{_GUIDES}rotation.rst 6": Procedure(run=f"{ROTATE} --check -e @{{}}"),
    f"{_GUIDES}rotation.rst 7": Procedure(run=f"{CHECK} -e @{{}}"),
    f"{_GUIDES}rotation.rst 8": Procedure(
        left_out="it is for a portal that systemd runs; the tests of the role have such tasks"
    ),
    f"{_GUIDES}rotation.rst 9": Procedure(
        run="ansible-playbook {} -e key_rotation_new_prefix=portal-2 -e key_rotation_new_certificate=PEM"
    ),
    # nginx looks the nodes up, and they are not in the DNS.
    f"{_GUIDES}rotation.rst 10": Procedure(
        run=f"{ROTATE} -e @{{}} -e key_rotation_mode=front_end {WWW} "
        f"{WITHOUT_SYSTEMD.format('key_rotation_front_end_reload')} "
        '-e \'{{"key_rotation_proxy_urls": ["https://localhost"]}}\''
    ),
    f"{_GUIDES}rotation.rst 11": Procedure(
        left_out="it is a part of a front end; tests/system/crash_recovery starts one with it"
    ),
    f"{_GUIDES}rotation.rst 12": Procedure(save="/srv/playbooks/front_end.yml", replace={_RELOAD: _NO_RELOAD}),
    f"{_GUIDES}rotation.rst 13": Procedure(
        also={"/etc/haproxy/haproxy.cfg": _HAPROXY}, run=f"ansible-playbook {{}} {SITES} --limit prod {WWW}"
    ),
    f"{_GUIDES}rotation.rst 14": Procedure(save="/srv/playbooks/portal.cfg.j2"),
    f"{_GUIDES}rotation.rst 15": Procedure(left_out="it is one line of a front end"),
    f"{_GUIDES}rotation.rst 16": Procedure(left_out="the unit tests of the role run Apache with it"),
    f"{_GUIDES}rotation.rst 17": Procedure(left_out="the unit tests of the role run Apache with the like"),
    f"{_GUIDES}signing_in.rst 2": Procedure(
        replace={"read -rsp 'Password: ' QLIK_SENSE_PASSWORD": "QLIK_SENSE_PASSWORD='An open secret'"}
    ),
    f"{_GUIDES}signing_in.rst 3": Procedure(also={"mint.yml": _TOKEN}, before="ansible-playbook mint.yml"),
    f"{_GUIDES}signing_in.rst 4": Procedure(
        also={"cookie.py": _COOKIE}, replace={"'X-Qlik-Session-admin=0c2d3f5e'": '"$(python cookie.py)"'}
    ),
    f"{_GUIDES}signing_in.rst 10": Procedure(left_out="it needs HashiCorp Vault"),
    f"{_GUIDES}signing_in.rst 11": Procedure(left_out="it is for a controller"),
    f"{_GUIDES}signing_in.rst 12": Procedure(left_out="it is for a controller"),
    f"{_GUIDES}verification.rst 1": Procedure(
        before=f"ansible-playbook sensible.qlik.provision {SITES} -e qlik_purge=true"
    ),
    f"{_GUIDES}verification.rst 2": Procedure(
        run=f"ansible-playbook sensible.qlik.smoke_test {SITES} --limit prod -e @{{}}"
    ),
    f"{_GUIDES}verification.rst 3": Procedure(
        run=f"ansible-playbook sensible.qlik.smoke_test {SITES} --limit dev -e @{{}} -e @example-4.yml"
    ),
    f"{_GUIDES}verification.rst 4": Procedure(left_out="it is used together with the one before it"),
    f"{_GUIDES}verification.rst 7": Procedure(left_out="it is output"),
}
"""Procedures by the name of the example."""


def text_of(example: Example) -> str:
    """Return the text of an example without waiting times and questions."""
    text = example.text
    for old, instead in PROCEDURES.get(str(example), Procedure()).replace.items():
        assert old in text
        text = text.replace(old, instead)
    return text


def commands(example: Example, file: str) -> list[str]:
    """Return the commands that a user types to follow an example, in their order.

    Args:
        example: which.
        file: where it was saved.

    Returns:
        None if its document has commands for it elsewhere.
    """
    procedure = PROCEDURES.get(str(example), Procedure())
    if procedure.run:
        return [procedure.run.format(file) + (READER if procedure.run.startswith("ansible-playbook") else "")]
    if procedure.online:
        return [f"unset PYTHONPATH SSL_CERT_FILE\nset -e\n{text_of(example)}"]
    if example.language in ("console", "shell"):
        lines = "\n".join(line.removeprefix("$ ") for line in text_of(example).splitlines())
        return [line for line in re.split(r"(?<!\\)\n", lines) if line]
    if procedure.save:
        return []
    [content] = example.yaml
    assert isinstance(content, list), f"{example} is neither a playbook nor tasks: add it to procedures.py."
    hosts = {play.get("hosts", "localhost") for play in content}
    return [f"ansible-playbook {file} {'' if hosts == {'localhost'} else SITES}{READER}"]
