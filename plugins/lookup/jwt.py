# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jwt
short_description: Mint tokens for JWT authentication
version_added: 1.0.0
author:
  - The sensible.qlik contributors (@sensible-qlik)
description:
  - Returns one signed JSON Web Token for Qlik Sense per user, in the order of the users. With O(as_logins), the result
    also contains tokens that must be refused, in the format that M(sensible.qlik.login_check) accepts.
  - Send a token in the C(Authorization) header, after the word C(Bearer) and a blank, to a virtual proxy with the
    certificate of the key. M(sensible.qlik.jwt_virtual_proxy) creates the virtual proxy, M(sensible.qlik.login_check)
    verifies the login.
  - A token is equivalent to a password until it expires. Set C(no_log) on every task that uses a token, and set a
    lifetime of minutes.
  - From ansible-core 2.22 on, the tokens, and keys and passphrases given as text, are registered as secrets. Ansible
    replaces them with V($REDACTED$) in all later output, also without C(no_log).
  - Tokens are minted on the control node. Keys and tokens are not stored.
requirements:
  - cryptography >= 42.0.0
  - PyJWT >= 2.6.0
options:
  _terms:
    description:
      - One or more users, or lists of users. A user has one of the following forms.
      - V(DIRECTORY\\user). In double quotes YAML needs two backslashes, elsewhere one. The lookup accepts both.
      - The user id alone. The directory then comes from O(user_directory).
      - A dictionary with C(user), or with C(user_id) and C(user_directory), and any of the options O(name), O(email),
        O(groups), O(claims), O(audience), O(expires_in), O(backdate), O(jwt_attribute_user_id) and
        O(jwt_attribute_user_directory), which then apply to this user only. Its C(claims) are added to O(claims).
    type: list
    elements: raw
    required: true
  private_key_path:
    description:
      - File with the RSA private key that belongs to the certificate of the virtual proxy.
      - The format is PEM with PKCS#8 or PKCS#1, and the key needs 2048 bits or more.
      - A warning is shown if other users may read or write the file.
      - A relative path is searched in the same way as by the lookup P(ansible.builtin.file#lookup).
      - Either this option or O(private_key_content) is required, and not both. O(private_key_content) takes precedence
        over the environment variable.
    type: str
    aliases: [privatekey_path]
    env:
      - name: QLIK_SENSE_JWT_PRIVATE_KEY_PATH
  private_key_content:
    description:
      - The text of the private key, instead of O(private_key_path), for example from a variable that Ansible Vault
        encrypts.
    type: str
    aliases: [privatekey_content]
  private_key_passphrase:
    description:
      - Passphrase of an encrypted key.
      - If not set, the key must not be encrypted.
    type: str
    aliases: [privatekey_passphrase]
    env:
      - name: QLIK_SENSE_JWT_PRIVATE_KEY_PASSPHRASE
  virtual_proxy:
    description:
      - The virtual proxy that the tokens are for, in the format that M(sensible.qlik.jwt_virtual_proxy) accepts and
        returns.
      - Its C(jwt_attribute_user_id), C(jwt_attribute_user_directory) and C(jwt_audience) are the defaults of
        O(jwt_attribute_user_id), O(jwt_attribute_user_directory) and O(audience). Options that are given take
        precedence.
      - A token without the mandatory claims of its C(jwt_attribute_map) is not minted, and the error lists the missing
        claims.
      - A key that does not belong to its C(jwt_public_key_certificate) is refused, because Qlik Sense would refuse its
        tokens. With O(as_logins) it is accepted, because M(sensible.qlik.login_check) reports the mismatch.
      - If not set, the token has the claims C(userId) and C(userDirectory), unless other names are given.
    type: dict
  as_logins:
    description:
      - Whether to return a dictionary per user instead of a token, for O(sensible.qlik.login_check#module:logins). Use
        C(query), because C(lookup) does not return a list for a single user.
      - It contains O(virtual_proxy), C(token) and C(expired_token). If O(virtual_proxy) has an audience, it also
        contains C(wrong_audience_token), for another audience. If O(virtual_proxy) has mandatory claims, it also
        contains C(incomplete_token), without these claims. If an option C(other_private_key_*) is set, it also contains
        C(other_key_token).
    type: bool
    default: false
  other_private_key_path:
    description:
      - File with another private key, such as the one that was replaced, for C(other_key_token) of O(as_logins). The
        path is searched in the same way as O(private_key_path).
      - If not set, the logins have no such token.
    type: str
  other_private_key_content:
    description:
      - The text of the other private key, instead of O(other_private_key_path).
    type: str
  other_private_key_passphrase:
    description:
      - Passphrase of the other private key, if it is encrypted.
      - The default is O(private_key_passphrase).
    type: str
  algorithm:
    description:
      - Signature algorithm, one of V(RS256), V(RS384) and V(RS512).
        Qlik Sense supports no other algorithms and no encrypted tokens.
    type: str
    default: RS256
  user_directory:
    description:
      - User directory of the users that are given without one.
      - If not set, each user must be given with a directory, unless the virtual proxy assigns a fixed one.
    type: str
  jwt_attribute_user_id:
    description:
      - Name of the claim with the user id, the same as on the virtual proxy.
      - The default is that of O(virtual_proxy), otherwise V(userId).
    type: str
  jwt_attribute_user_directory:
    description:
      - Name of the claim with the user directory, the same as on the virtual proxy.
      - A directory in brackets, such as V([CORP]), is assigned by the virtual proxy to all users and needs no claim.
      - The default is that of O(virtual_proxy), otherwise V(userDirectory).
    type: str
  name:
    description:
      - Full name of the user, for the claim C(name).
      - If not set, the token does not have this claim.
    type: str
  email:
    description:
      - E-mail address of the user, for the claim C(email).
      - If not set, the token does not have this claim.
    type: str
  groups:
    description:
      - Groups of the user, for the claim that O(virtual_proxy) maps to the attribute C(group), otherwise for
        C(groups). Qlik Sense uses them only if the virtual proxy maps the claim.
      - A text is one group and is not split at commas.
      - If not set, the token has no groups.
    type: list
    elements: str
  claims:
    description:
      - Further claims with any JSON values.
      - The claims C(iat), C(nbf), C(exp) and C(aud) are refused here, because separate options exist for them.
      - If not set, the token has the claims of the other options only.
    type: dict
  audience:
    description:
      - The claim C(aud), for a virtual proxy that requires an audience. A text, or a list of texts.
      - The default is that of O(virtual_proxy).
    type: raw
  key_id:
    description:
      - The C(kid) in the token's header. Qlik Sense does not need it, but gateways may.
      - V(thumbprint) is the thumbprint of the key (RFC 7638), V(none) omits the C(kid), and any other text is used
        unchanged.
    type: str
    default: thumbprint
  expires_in:
    description:
      - Lifetime of the token from now on, in seconds or with a unit, such as V(90s), V(15m), V(48h), V(365d) or V(52w).
      - A single token cannot be revoked in Qlik Sense. Its session can continue after the token has expired.
      - With a negative value the token has already expired, to check that it is refused.
    type: str
    default: 15m
  backdate:
    description:
      - Time by which the claims C(iat) and C(nbf) are before the current time, so that a server whose clock is slow
        accepts the token. The format is that of O(expires_in).
      - With a negative value the token becomes valid later, to check that it is refused.
    type: str
    default: 60s
notes:
  - With several users use C(query), or C(lookup) with C(wantlist=True). C(lookup) alone joins the tokens with commas.
  - C(default(omit)) works for every option and for every field of a user.
  - Store keys and passphrases in variables. If a task fails, Ansible shows the source of the task, including a literal
    passphrase.
  - Use one call with a list for many users. It loads and validates the key once and is much faster than a loop of
    tasks.
seealso:
  - module: sensible.qlik.jwt_virtual_proxy
  - module: sensible.qlik.login_check
  - name: help.qlik.com, JWT authentication
    description: Qlik's help page about the tokens that it accepts.
    link: "https://help.qlik.com/en-US/sense-admin/latest/Subsystems/DeployAdministerQSE/Content/\
      Sense_DeployAdminister/QSEoW/Administer_QSEoW/Managing_QSEoW/JWT-authentication.htm"
"""

EXAMPLES = r"""
- name: Request the current user from Qlik Sense, with a token that is valid for 15 minutes
  ansible.builtin.uri:
    url: https://qlik.example.com/jwt/qps/user
    headers:
      Authorization: "Bearer {{ lookup('sensible.qlik.jwt', user, private_key_path='/etc/qlik/signing_key.pem') }}"
  vars:
    user: CORP\alice
  no_log: true

- name: Mint a token with groups from an encrypted key, after a check that the key belongs to the certificate
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', 'alice', user_directory='CORP', groups=['sales', 'CN=Board,OU=Groups'],
                private_key_path='signing_key.pem', private_key_passphrase=signing_key_passphrase,
                virtual_proxy={'jwt_public_key_certificate': lookup('ansible.builtin.file', 'signing.pem')}) }}
  no_log: true

- name: Mint a token for every user with one call
  ansible.builtin.set_fact:
    qlik_tokens: "{{ dict(users | zip(query('sensible.qlik.jwt', users, private_key_content=signing_key))) }}"
  vars:
    users:
      - CORP\alice
      - CORP\bob
  no_log: true

- name: Mint tokens for users with different options, with the key file of QLIK_SENSE_JWT_PRIVATE_KEY_PATH
  ansible.builtin.set_fact:
    qlik_tokens: "{{ query('sensible.qlik.jwt', users, user_directory='CORP', expires_in='5m') }}"
  vars:
    users:
      - {user_id: alice, name: Alice Example, groups: [sales, board]}
      - user: PARTNER\bob
        email: bob@partner.example
        claims:
          region: north
          customer: 1001
  no_log: true

- name: Mint a token that expired five minutes ago and must be refused
  ansible.builtin.set_fact:
    expired_token: "{{ lookup('sensible.qlik.jwt', user, private_key_content=signing_key, expires_in='-5m') }}"
  vars:
    user: CORP\alice
  no_log: true

- name: Mint a token in the format of an identity provider, for a virtual proxy with other claims and an audience
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', 'alice', private_key_content=signing_key,
                jwt_attribute_user_id='preferred_username', jwt_attribute_user_directory='[CORP]', audience='qlik',
                name='Alice Example', email='alice@corp.example',
                claims={'roles': ['sales'], 'department': 'Sales'}) }}
  no_log: true

- name: Mint a token with the claims and the audience of a declared virtual proxy
  ansible.builtin.set_fact:
    qlik_token: >-
      {{ lookup('sensible.qlik.jwt', user, private_key_path='keys/portal_key.pem', groups=['sales'],
                virtual_proxy=declared.virtual_proxy) }}
  vars:
    user: CORP\alice
  no_log: true

- name: Verify that users can log in, and that expired tokens and those of the replaced key are refused
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/company_ca.pem
    logins: >-
      {{ query('sensible.qlik.jwt', users, private_key_path='keys/portal_key.pem', as_logins=true,
               virtual_proxy=declared.virtual_proxy, other_private_key_path='keys/old_key.pem') }}
  vars:
    users:
      - CORP\smoketest

- name: Verify the login with the other key from a vault
  sensible.qlik.login_check:
    proxy_urls: [https://qlik1.example.com]
    proxy_ca_path: certificates/company_ca.pem
    logins: >-
      {{ query('sensible.qlik.jwt', 'CORP\\smoketest', private_key_path='keys/portal_key.pem', as_logins=true,
               virtual_proxy=declared.virtual_proxy, other_private_key_content=vault_old_key) }}

- name: Mint a token with a key id for a gateway, and with a tolerance for servers whose clocks are slow
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
    """Convert options to tokens. The rules for tokens are in module_utils."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        try:
            with warnings.catch_warnings():
                # Warnings of libraries would be mixed with Ansible's own output.
                warnings.simplefilter("ignore")
                variables = variables or {}
                return self._results(terms, variables, _given(kwargs, variables))
        except QlikError as exc:
            # Up to ansible-core 2.18 this omits the source line, which may contain a literal passphrase.
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
            raise InputError("Another private key needs as_logins.", hint="Set as_logins=true, or omit the other key.")
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
        """Raise if a keyword is not an option. set_options ignores it, and a misspelled option would have no effect."""
        known = {name for name in self.option_definitions if not name.startswith("_")}
        aliases = {alias for option in self.option_definitions.values() for alias in option.get("aliases") or ()}
        # Up to ansible-core 2.18, loops of the form with_sensible.qlik.jwt pass wantlist.
        if unknown := kwargs.keys() - known - aliases - {"wantlist"}:
            raise InputError(
                f"The lookup sensible.qlik.jwt has no option {join_names(unknown)}.",
                hint=f"The options are {', '.join(sorted(known))}.",
            )

    def _recipe(self, kwargs: dict[str, t.Any], virtual_proxy: VirtualProxy) -> Recipe:
        # Not converted, because Ansible would convert numbers to text and split a group such as CN=a,OU=b at the comma.
        given = {name: kwargs[name] for name in _RECIPE if kwargs.get(name) is not None}
        defaults = {name: value for name in _RECIPE if (value := self.get_option(name)) is not None}
        recipe = Recipe(**defaults | recipe_fields(virtual_proxy) | given)
        if "sub" in (recipe.jwt_attribute_user_id, recipe.jwt_attribute_user_directory):
            display.warning(
                "The claim sub is reserved for the token itself (RFC 7519), and Qlik Sense may not accept it here."
            )
        return recipe

    def _refuse_keys(self, kwargs: dict[str, t.Any]) -> None:
        for name in ("key_id", "virtual_proxy", "as_logins", *_RECIPE):
            if holds_private_key(str(kwargs.get(name, ""))):
                raise InputError(f"{name} contains a private key.", hint="Give the key as private_key_content.")

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
            raise InputError("The other private key is the same as the private key.", hint="Give another key.")
        return keys

    def _one_text(self, what: str, path: t.Any, content: t.Any, variables: dict[str, t.Any]) -> str | None:
        path = path or None  # an empty environment variable
        if path is not None and content is not None:
            raise InputError(f"{what}_path and {what}_content are both set.", hint="Set one of them.")
        if path is not None:
            return self._read(str(path), what, variables)
        return None if content is None else decode(f"{what}_content", str(content), holds="private key")

    def _read(self, path: str, what: str, variables: dict[str, t.Any]) -> str:
        # str.__str__ returns plain text without Ansible's tags.
        file_path = os.path.expanduser(os.path.expandvars(str.__str__(path)))  # noqa: PTH111
        # Text that cannot be a path is not searched.
        if text_kind(file_path, new=True) is None and not os.path.isabs(file_path):  # noqa: PTH117
            file_path = self.find_file_in_search_path(variables, "files", file_path, ignore_missing=True) or file_path
        option, alternative = f"{what}_path", f"{what}_content"
        return read(option, file_path, alternative=alternative, holds="private key", warn=display.warning).text

    def _warn_of_length(self, tokens: list[str]) -> None:
        longest = max(map(len, tokens), default=0) + len("Authorization: Bearer ")
        if longest > _LONGEST_HEADER:
            display.warning(
                f"With one of the tokens the Authorization header is {longest} bytes long. Many servers refuse more"
                f" than {_LONGEST_HEADER}; use fewer groups and claims."
            )


def _require_certificate(pem: str, key: RSAPrivateKey) -> None:
    _certificate.require_matching_key(pem, key)
    certificate = _certificate.inspect(pem)
    if certificate["days_left"] < 0:
        display.warning(f"The certificate of the private key expired at {certificate['not_after']}.")


def _given(values: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the values without those of default(omit): up to ansible-core 2.18 a text in the variables, now a type."""
    omitted = variables.get("omit")
    return {
        name: value
        for name, value in values.items()
        if value.__class__.__name__ != "_OmitType" and not (omitted and isinstance(value, str) and value == omitted)
    }


def _checked(kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options that Ansible may convert. They must be text, because its errors quote refused values."""
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
