# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwt
short_description: Mint tokens for Qlik Sense's JWT authentication
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns one signed JSON Web Token per user, in the order of the users. With O(as_logins), tokens that must be
    refused as well, in the form that M(sensible.qlik.login_check) takes.
  - Send it as C(Authorization) header, after the word C(Bearer) and a blank, to a virtual proxy that has the key's
    certificate. M(sensible.qlik.jwt_virtual_proxy) makes one, M(sensible.qlik.login_check) proves the login.
  - A token is a password as long as it lives. Set C(no_log) on every task that uses one, and let it live for minutes.
  - From ansible-core 2.22 on, the tokens, keys given as text and passphrases are registered as secrets. Ansible then
    replaces them by V($REDACTED$) in all output that follows, also without C(no_log).
  - Everything happens on the control node. Neither keys nor tokens are written anywhere.
requirements:
  - cryptography >= 42.0.0
  - PyJWT >= 2.6.0
options:
  _terms:
    description:
      - Users, one or more, or lists of them. A user is one of the following.
      - V(DIRECTORY\\user). YAML needs two backslashes in double quotes and one elsewhere; the lookup takes both.
      - The user id alone. The directory then comes from O(user_directory).
      - A dictionary with C(user), or with C(user_id) and C(user_directory), and any of the options O(name), O(email),
        O(groups), O(claims), O(audience), O(expires_in), O(backdate), O(jwt_attribute_user_id) and
        O(jwt_attribute_user_directory), which then hold for this user only. Its C(claims) are added to O(claims).
    type: list
    elements: raw
    required: true
  private_key_path:
    description:
      - File with the RSA private key whose certificate the virtual proxy has.
      - PEM in PKCS#8 or PKCS#1 form, 2048 bits or more.
      - A warning is shown if other users may read or write the file.
      - A path that is not absolute is looked for as the lookup P(ansible.builtin.file#lookup) does.
      - Exactly one of O(private_key_path) and O(private_key_content) is needed.
        O(private_key_content) wins over the environment variable.
    type: str
    aliases: [privatekey_path]
    env:
      - name: QLIK_SENSE_JWT_PRIVATE_KEY_PATH
  private_key_content:
    description:
      - The private key itself, for example from a vault.
    type: str
    aliases: [privatekey_content]
  private_key_passphrase:
    description:
      - Passphrase of an encrypted key.
    type: str
    aliases: [privatekey_passphrase]
    env:
      - name: QLIK_SENSE_JWT_PRIVATE_KEY_PASSPHRASE
  virtual_proxy:
    description:
      - The virtual proxy that the tokens are for, as M(sensible.qlik.jwt_virtual_proxy) takes and returns it.
      - Its C(jwt_attribute_user_id), C(jwt_attribute_user_directory) and C(jwt_audience) are the defaults of
        O(jwt_attribute_user_id), O(jwt_attribute_user_directory) and O(audience); options that are given outrank it.
      - A token without the mandatory claims of its C(jwt_attribute_map) is not made; the error names what is missing.
      - A key that does not belong to its C(jwt_public_key_certificate) is refused, before any token is made that Qlik
        Sense would not accept. With O(as_logins) it is not, because M(sensible.qlik.login_check) reports it.
    type: dict
  as_logins:
    description:
      - Return a dictionary per user instead of a token, for O(sensible.qlik.login_check#module:logins). Use C(query),
        because C(lookup) returns no list for a single user.
      - It holds O(virtual_proxy), C(token), C(expired_token), and, as far as O(virtual_proxy) and the key below make
        them possible, C(wrong_audience_token) (for another audience), C(incomplete_token) (without the mandatory
        claims) and C(other_key_token).
    type: bool
    default: false
  other_private_key_path:
    description:
      - File with another private key, such as the one that was replaced, for C(other_key_token) of O(as_logins).
    type: str
  other_private_key_content:
    description:
      - The other private key itself, instead of O(other_private_key_path).
    type: str
  other_private_key_passphrase:
    description:
      - Passphrase of the other private key, if it is encrypted.
      - The default is O(private_key_passphrase).
    type: str
  algorithm:
    description:
      - Signature algorithm, one of V(RS256), V(RS384) and V(RS512).
        Qlik Sense supports no other, and no encrypted tokens.
    type: str
    default: RS256
  user_directory:
    description:
      - User directory of the users that come without one.
    type: str
  jwt_attribute_user_id:
    description:
      - Name of the claim with the user id, the same as on the virtual proxy.
      - The default is that of O(virtual_proxy), or else V(userId).
    type: str
  jwt_attribute_user_directory:
    description:
      - Name of the claim with the user directory, the same as on the virtual proxy.
      - A directory in brackets, such as V([CORP]), is one that the virtual proxy gives to everybody; it needs no claim.
      - The default is that of O(virtual_proxy), or else V(userDirectory).
    type: str
  name:
    description:
      - Full name, written into the claim C(name).
    type: str
  email:
    description:
      - E-mail address, written into the claim C(email).
    type: str
  groups:
    description:
      - Groups of the user, written into the claim that O(virtual_proxy) maps to the attribute C(group), or else into
        C(groups). Qlik Sense sees them only if the virtual proxy maps the claim.
      - A text is one group and is not split at commas.
    type: list
    elements: str
  claims:
    description:
      - Further claims with any values that JSON knows.
      - The times and the audience have options of their own and are refused here.
    type: dict
  audience:
    description:
      - The claim C(aud), for a virtual proxy that asks for an audience. A text, or a list of texts.
      - The default is that of O(virtual_proxy).
    type: raw
  key_id:
    description:
      - The C(kid) in the token's header. Qlik Sense does not need it, gateways may.
      - V(thumbprint) is the key's own name after RFC 7638, V(none) leaves it out, any other text is taken as it is.
    type: str
    default: thumbprint
  expires_in:
    description:
      - How long from now the token is valid, in seconds or with a unit, such as V(90s), V(15m), V(48h) or V(365d).
      - A single token cannot be revoked in Qlik Sense. Its session may outlive the token.
      - A negative time makes a token that has expired already, to see it refused.
    type: str
    default: 15m
  backdate:
    description:
      - How long ago the token seems to have been issued, so that a server whose clock is behind accepts it.
        It sets the claims C(iat) and C(nbf).
      - A negative time makes a token that becomes valid later, to see it refused.
    type: str
    default: 60s
notes:
  - With several users use C(query), or C(lookup) with C(wantlist=True); C(lookup) alone joins the tokens with commas.
  - C(default(omit)) works for every option, and for every field of a user.
  - Keep keys and passphrases in variables. When a task fails, Ansible shows its source, a literal passphrase included.
  - One call with a list loads and validates the key once and is far faster than a loop over tasks; ten thousand tokens
    take seconds.
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - module: sensible.qlik.login_check
  - name: JWT authentication
    description: Qlik's own page on what it accepts.
    link: "https://help.qlik.com/en-US/sense-admin/latest/Subsystems/DeployAdministerQSE/Content/\
      Sense_DeployAdminister/QSEoW/Administer_QSEoW/Managing_QSEoW/JWT-authentication.htm"
"""

EXAMPLES = r"""
- name: Ask Qlik Sense whom it takes us for, with a token that lives for fifteen minutes
  ansible.builtin.uri:
    url: https://qlik.example.com/jwt/qps/user
    headers:
      Authorization: "Bearer {{ lookup('sensible.qlik.jwt', user, private_key_path='/etc/qlik/signing_key.pem') }}"
  vars:
    user: CORP\alice
  no_log: true

- name: A token with groups, from an encrypted key, only if the key belongs to the certificate of the virtual proxy
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', 'alice', user_directory='CORP', groups=['sales', 'CN=Board,OU=Groups'],
                private_key_path='signing_key.pem', private_key_passphrase=signing_key_passphrase,
                virtual_proxy={'jwt_public_key_certificate': lookup('ansible.builtin.file', 'signing.pem')}) }}
  no_log: true

- name: A token for every user, with one call
  ansible.builtin.set_fact:
    qlik_tokens: "{{ dict(users | zip(query('sensible.qlik.jwt', users, private_key_content=signing_key))) }}"
  vars:
    users:
      - CORP\alice
      - CORP\bob
  no_log: true

- name: Users that differ in more than their name, with the key in the file that QLIK_SENSE_JWT_PRIVATE_KEY_PATH names
  ansible.builtin.set_fact:
    qlik_tokens: "{{ query('sensible.qlik.jwt', users, user_directory='CORP', expires_in='5m') }}"
  vars:
    users:
      - user_id: alice
        name: Alice Example
        groups: [sales, board]
      - user: PARTNER\bob
        email: bob@partner.example
        claims:
          region: north
          customer: 1001
  no_log: true

- name: A token that must be refused, as it expired five minutes ago
  ansible.builtin.set_fact:
    expired_token: "{{ lookup('sensible.qlik.jwt', user, private_key_content=signing_key, expires_in='-5m') }}"
  vars:
    user: CORP\alice
  no_log: true

- name: A token as the identity provider makes them, for a virtual proxy with other claims and an audience
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', 'alice', private_key_content=signing_key,
                jwt_attribute_user_id='preferred_username', jwt_attribute_user_directory='[CORP]', audience='qlik',
                name='Alice Example', email='alice@corp.example',
                claims={'roles': ['sales'], 'department': 'Sales'}) }}
  no_log: true

- name: A token for a declared virtual proxy, whatever its claims, audience and certificate are
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', user, private_key_path='keys/portal_key.pem', groups=['sales'],
                virtual_proxy=declared.virtual_proxy) }}
  vars:
    user: CORP\alice
  no_log: true

- name: Check that users can log in, and that expired tokens and those of the replaced key are refused
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/company_ca.pem
    logins: >-
      {{ query('sensible.qlik.jwt', users, private_key_path='keys/portal_key.pem', as_logins=true,
               virtual_proxy=declared.virtual_proxy, other_private_key_path='keys/old_key.pem') }}
  vars:
    users:
      - CORP\smoketest

- name: The same with the other key from a vault
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/company_ca.pem
    logins: >-
      {{ query('sensible.qlik.jwt', 'CORP\\smoketest', private_key_path='keys/portal_key.pem', as_logins=true,
               virtual_proxy=declared.virtual_proxy, other_private_key_content=vault_old_key) }}

- name: A token for a gateway that knows keys by name, and for servers whose clocks are wrong
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', user, private_key_content=signing_key, algorithm='RS512', key_id='2026-a',
                backdate='5m') }}
  vars:
    user: CORP\alice
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - One token per user, without the word C(Bearer). With O(as_logins), a dictionary per user.
  type: list
  elements: raw
  sample:
    - eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VySWQiOiJhbGljZSJ9.c2lnbmF0dXJl
"""

import os
import time
import typing as t
import warnings
from collections.abc import Mapping

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.sensible.qlik.plugins.module_utils import _text
from ansible_collections.sensible.qlik.plugins.module_utils._content import holds_private_key
from ansible_collections.sensible.qlik.plugins.module_utils._errors import InputError, QlikError, about
from ansible_collections.sensible.qlik.plugins.module_utils._files import decode, read, text_kind
from ansible_collections.sensible.qlik.plugins.module_utils._keys import certificate as _certificate
from ansible_collections.sensible.qlik.plugins.module_utils._keys.private_key import is_encrypted, load_private_key
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.mint import (
    Recipe,
    join_names,
    minter,
    recipe_fields,
    require_algorithm,
    require_mandatory,
    text_of,
)
from ansible_collections.sensible.qlik.plugins.module_utils._tokens.negative import login_tokens
from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.convert import from_settings

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from ansible_collections.sensible.qlik.plugins.module_utils._virtual_proxy.model import VirtualProxy

# Options that become fields of the recipe as they are.
_RECIPE = (
    "audience", "backdate", "claims", "email", "expires_in", "groups", "jwt_attribute_user_directory",
    "jwt_attribute_user_id", "name", "user_directory",
)  # fmt: skip
# nginx by default refuses a header of more than 8 KB, Tomcat and Windows' HTTP.sys all headers together of 8 and 16 KB.
_LONGEST_HEADER = 8192

display = Display()


class LookupModule(LookupBase):
    """Options in, tokens out; what a token is made of is decided in module_utils."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        try:
            with warnings.catch_warnings():
                # What libraries warn about would appear between Ansible's own lines.
                warnings.simplefilter("ignore")
                variables = variables or {}
                return self._results(terms, variables, _given(kwargs, variables))
        except QlikError as exc:
            # Up to ansible-core 2.18 this keeps the source line out, which may hold a passphrase as a literal.
            raise AnsibleError(str(exc), show_content=False) from exc

    def _results(self, terms: list[t.Any], variables: dict[str, t.Any], kwargs: dict[str, t.Any]) -> list[t.Any]:
        self._require_known(kwargs)
        self._refuse_keys(kwargs)
        self.set_options(var_options=variables, direct=_checked(kwargs))
        secrets = ("private_key_content", "private_key_passphrase")
        _text.register_secrets(self.get_option(name) for one in secrets for name in (one, f"other_{one}"))
        algorithm = require_algorithm(self.get_option("algorithm"))
        settings, as_logins = kwargs.get("virtual_proxy"), self.get_option("as_logins")
        virtual_proxy = from_settings({} if settings is None else settings)
        recipe = self._recipe(kwargs, virtual_proxy)
        keys = self._keys(variables, kwargs)
        if len(keys) > 1 and not as_logins:
            raise InputError("There is another private key.", hint="Set as_logins=true, or leave it out.")
        if not as_logins and (pem := virtual_proxy.fields.get("jwt_public_key_certificate")):
            _require_certificate(text_of(pem, "certificate of the virtual proxy"), keys[0])
        key_id = self.get_option("key_id")
        key_id = None if key_id in (None, "none") else str(key_id)
        mints = [minter(key, algorithm=algorithm, key_id=key_id) for key in keys]

        users = [_given(user, variables) if isinstance(user, Mapping) else user for user in _flat(terms)]
        now = int(time.time())
        made = []
        for number, user in enumerate(users, 1):
            with about(f"User {number} of {len(users)}"):
                claims = recipe.claims_of(user, now=now)
                require_mandatory(claims, virtual_proxy)
            one = login_tokens(claims, virtual_proxy, *mints, now=now) if as_logins else {"token": mints[0](claims)}
            made.append(one)
        tokens = [token for one in made for token in one.values()]
        _text.register_secrets(tokens)
        self._warn_of_length(tokens)
        return [{"virtual_proxy": settings, **one} for one in made] if as_logins else tokens

    def _require_known(self, kwargs: dict[str, t.Any]) -> None:
        """set_options ignores a keyword that it does not know, and a misspelt option would silently do nothing."""
        known = {name for name in self.option_definitions if not name.startswith("_")}
        aliases = {alias for option in self.option_definitions.values() for alias in option.get("aliases") or ()}
        # Up to ansible-core 2.18, loops of the form with_sensible.qlik.jwt hand wantlist through.
        if unknown := kwargs.keys() - known - aliases - {"wantlist"}:
            raise InputError(
                f"The lookup sensible.qlik.jwt has no option {join_names(unknown)}.",
                hint=f"Known are {', '.join(sorted(known))}.",
            )

    def _recipe(self, kwargs: dict[str, t.Any], virtual_proxy: VirtualProxy) -> Recipe:
        # Taken as given: Ansible would make text of numbers, and cut a group such as CN=a,OU=b at the comma.
        given = {name: kwargs[name] for name in _RECIPE if kwargs.get(name) is not None}
        defaults = {name: value for name in _RECIPE if (value := self.get_option(name)) is not None}
        recipe = Recipe(**defaults | recipe_fields(virtual_proxy) | given)
        if "sub" in (recipe.jwt_attribute_user_id, recipe.jwt_attribute_user_directory):
            display.warning("The claim sub has a meaning of its own in every token; Qlik Sense may not accept it here.")
        return recipe

    def _refuse_keys(self, kwargs: dict[str, t.Any]) -> None:
        for name in ("key_id", "virtual_proxy", "as_logins", *_RECIPE):
            if holds_private_key(str(kwargs.get(name, ""))):
                raise InputError(f"{name} holds a private key.", hint="Give the key as private_key_content.")

    def _keys(self, variables: dict[str, t.Any], kwargs: dict[str, t.Any]) -> list[RSAPrivateKey]:
        """Return the private key, and the other one if it is given."""
        path, content = self.get_option("private_key_path"), self.get_option("private_key_content")
        if content is not None and not {"private_key_path", "privatekey_path"} & kwargs.keys():
            path = None
        pem = self._one_text("private_key", path, content, variables)
        if pem is None:
            raise InputError(
                "No private key was given.",
                hint="Give private_key_path or private_key_content, or set QLIK_SENSE_JWT_PRIVATE_KEY_PATH.",
            )
        passphrase = self.get_option("private_key_passphrase")
        if passphrase and not is_encrypted(pem):
            display.warning("The private key is not encrypted; its passphrase was not needed.")
        path, content = self.get_option("other_private_key_path"), self.get_option("other_private_key_content")
        other = self._one_text("other_private_key", path, content, variables)
        keys = [load_private_key(pem, passphrase=str(passphrase) if passphrase else None)]
        if other is not None:
            passphrase = self.get_option("other_private_key_passphrase") or passphrase
            other_key = load_private_key(
                other, passphrase=str(passphrase) if passphrase else None, option="other_private_key"
            )
            keys.append(other_key)
        if len({key.public_key().public_numbers() for key in keys}) < len(keys):
            raise InputError("The other private key is the private key itself.", hint="Give another one.")
        return keys

    def _one_text(self, what: str, path: t.Any, content: t.Any, variables: dict[str, t.Any]) -> str | None:
        path = path or None  # an empty environment variable
        if path is not None and content is not None:
            raise InputError(f"There are both {what}_path and {what}_content.", hint="Give one of them.")
        if path is not None:
            return self._read(str(path), what, variables)
        return None if content is None else decode(f"{what}_content", str(content), holds="private key")

    def _read(self, path: str, what: str, variables: dict[str, t.Any]) -> str:
        # Plain text, without what Ansible adds to it.
        file_path = os.path.expanduser(os.path.expandvars(str.__str__(path)))  # noqa: PTH111
        # Text that cannot be a path is not looked for.
        if text_kind(file_path, new=True) is None and not os.path.isabs(file_path):  # noqa: PTH117
            file_path = self.find_file_in_search_path(variables, "files", file_path, ignore_missing=True) or file_path
        option, alternative = f"{what}_path", f"{what}_content"
        return read(option, file_path, alternative=alternative, holds="private key", warn=display.warning).text

    def _warn_of_length(self, tokens: list[str]) -> None:
        longest = max(map(len, tokens), default=0) + len("Authorization: Bearer ")
        if longest > _LONGEST_HEADER:
            display.warning(
                f"With one of the tokens the Authorization header is {longest} bytes long. Many servers refuse more"
                f" than {_LONGEST_HEADER}; put fewer groups and claims into it."
            )


def _require_certificate(pem: str, key: RSAPrivateKey) -> None:
    _certificate.require_matching_key(pem, key)
    certificate = _certificate.inspect(pem)
    if certificate["days_left"] < 0:
        display.warning(f"The certificate of the private key expired at {certificate['not_after']}.")


def _given(values: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Leave out what default(omit) made: up to ansible-core 2.18 a text known to the variables, now its own type."""
    omitted = variables.get("omit")
    return {
        name: value
        for name, value in values.items()
        if value.__class__.__name__ != "_OmitType" and not (omitted and isinstance(value, str) and value == omitted)
    }


def _checked(kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options that Ansible may convert. Its errors quote what they refuse, so they must be text."""
    return {
        name: value if name == "as_logins" and isinstance(value, bool) else text_of(value, name)
        for name, value in kwargs.items()
        if name not in (*_RECIPE, "virtual_proxy", "wantlist") and value is not None
    }


def _flat(terms: t.Iterable[t.Any]) -> t.Iterator[t.Any]:
    for term in terms:
        if isinstance(term, (list, tuple)):
            yield from _flat(term)
        else:
            yield term
