# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Convert the options of login_check to logins. Pure, no I/O."""

from __future__ import annotations

import time
import typing as t

from .. import _identifiers, _proxies
from .._errors import InputError, about
from .._keys.jose import inspect_token
from .._virtual_proxy.convert import from_settings
from .checks import TOKEN_OPTIONS
from .diagnosis import expected_user
from .models import Login

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from .._virtual_proxy.model import VirtualProxy


def logins(params: dict[str, t.Any], out_of_service: Collection[str] = ()) -> list[Login]:
    """Return each login on each proxy according to the options of login_check.

    Args:
        params: parameters of the module.
        out_of_service: names of nodes whose proxy has no address, because it is disabled.

    Raises:
        InputError: an option is not valid.
    """
    proxies = _proxies.named_urls(params["proxy_urls"])
    if not proxies or not params["logins"]:
        raise InputError(
            f"The option '{'logins' if proxies else 'proxy_urls'}' is empty.",
            hint="Give at least one proxy and one login.",
        )
    result = []
    for number, given in enumerate(params["logins"], start=1):
        virtual_proxy = from_settings(given["virtual_proxy"] or {})
        prefix = str(given["prefix"] or virtual_proxy.prefix).strip("/")
        prefix = _identifiers.prefix(prefix, f"prefix of login {number}")
        token, *negative = (
            _token(given[name], name=name, number=number, required=name == "token")
            for name in ("token", *TOKEN_OPTIONS)
        )
        negative_tokens = {name: one for name, one in zip(TOKEN_OPTIONS, negative, strict=True) if one}
        directory, user_id = expected_user(inspect_token(token)["claims"], virtual_proxy)
        if other := negative_tokens.get("other_key_token"):
            _require_comparable(other, (directory, user_id), virtual_proxy, number=number)
        links = virtual_proxy.fields.get("proxies")
        links = None if links is None else [name for name in links if name not in out_of_service]
        with about(f"Login {number}"):
            linked = _proxies.linked_urls(proxies, links)
        result += [
            Login(
                proxy=proxy,
                prefix=prefix,
                token=token,
                negative_tokens=negative_tokens,
                user=(given["user_directory"] or directory, given["user_id"] or user_id),
                virtual_proxy=virtual_proxy,
                linked=proxy in linked,
            )
            for proxy in proxies
            if proxy in linked or "not_linked" not in params["skip_checks"]
        ]
    return result


def _token(given: str | None, *, name: str, number: int, required: bool) -> str:
    """Return a token without blanks around it, "" if it is not given."""
    token = (given or "").strip()
    if token or required:
        with about(f"{name} of login {number}"):
            inspect_token(token)
    return token


def _require_comparable(
    token: str, user: tuple[str | None, str | None], virtual_proxy: VirtualProxy, *, number: int
) -> None:
    """Raise if a virtual proxy could refuse a token of another key for another reason than its key."""
    claims = inspect_token(token)["claims"]
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= time.time():
        problem = "has expired"
    elif expected_user(claims, virtual_proxy) != user:
        problem = "belongs to another user"
    else:
        return
    raise InputError(
        f"other_key_token of login {number} {problem}, so a refusal could have another reason than its key.",
        hint="Mint it in the same way as the token, with the other key.",
    )
