# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.
#
# Messages never quote a value of the user, because it may be a misplaced key. They contain the option or the position
# in the list instead.

from __future__ import annotations

import dataclasses
import datetime
import functools
import math
import re
import typing as t
from collections.abc import Mapping

from .._errors import InputError, MissingLibraryError
from .._identifiers import RESERVED_CLAIMS, claim_name
from .._keys.jose import ALGORITHMS
from .._keys.private_key import thumbprint
from .._text import sanitize
from .verify import constant_directory

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .._virtual_proxy.model import VirtualProxy

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([+-]?[0-9]{1,12})\s*([smhdw]?)")
_LONGEST = 36500 * 86400


def seconds(value: t.Any, *, option: str) -> int:
    """Return a duration in seconds, from a number or a number with one of the units s, m, h, d, w ("15m", "-5m").

    Raises:
        InputError: it is not a duration, or longer than a hundred years.
    """
    match = _DURATION.fullmatch(str(value).strip()) if isinstance(value, (int, str)) else None
    result = int(match[1]) * _SECONDS[match[2]] if match and not isinstance(value, bool) else None
    if result is None or abs(result) > _LONGEST:
        raise InputError(
            f"The value of {option} is not a duration.",
            hint="Give seconds, or a whole number with a unit: 90s, 15m, 48h, 365d or 52w.",
        )
    return result


def join_names(names: t.Iterable[str]) -> str:
    """Return the user's names for a message. A text that does not look like a name may be a misplaced secret."""
    return ", ".join(sorted(name if name.isidentifier() and len(name) <= 40 else "(no name)" for name in names))


def require_algorithm(name: t.Any) -> str:
    """Return an algorithm that Qlik Sense accepts.

    Raises:
        InputError: the name is not one of ALGORITHMS. The message contains the reason.
    """
    if name in ALGORITHMS:
        return str(name)
    text = str(name).upper()
    if text in ALGORITHMS:
        message = "Algorithm names are written in capitals."
    elif re.fullmatch(r"(ES|PS|HS)(256|256K|384|512)|EDDSA|ED25519|NONE", text):
        message = f"Qlik Sense does not accept the algorithm {text}."
    elif re.fullmatch(r"RSA1_5|RSA-OAEP.*|DIR|ECDH-ES.*|A\d{3}(GCM)?KW|A\d{3}GCM|A\d{3}CBC-HS\d{3}|PBES2-.*|JWE", text):
        message = "Qlik Sense does not accept encrypted tokens (JWE); TLS already encrypts them in transit."
    else:
        message = "The value of algorithm is not the name of a signature algorithm."
    raise InputError(message, hint=f"Use {', '.join(ALGORITHMS[:-1])} or {ALGORITHMS[-1]}, with an RSA key.")


def plain(value: t.Any) -> t.Any:
    """Return a copy of a claim with exact JSON types, because Ansible's types are subclasses of these.

    Raises:
        InputError: the value, or one inside it, is not a JSON value.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping):
        return {text_of(key, "name of a claim"): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str) or getattr(value, "__ENCRYPTED__", False):
        return str(value)
    raise InputError(
        f"The claims contain {_kind_of(value)} that is not a JSON value.",
        hint="Use text, numbers, true, false, lists and dictionaries; put a date in quotes.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The content of the tokens of a call. A user that is a dictionary can override each field for one token.

    Args:
        jwt_attribute_user_id: name of the claim with the user id, as on the virtual proxy.
        jwt_attribute_user_directory: name of the claim with the directory. "[CORP]" is a fixed directory without claim.
        user_directory: for users without a directory.
        name: the claim C(name).
        email: the claim C(email).
        groups: the claim with the name C(groups_claim).
        groups_claim: name of the claim with the groups.
        claims: further claims.
        audience: the claim C(aud), a text or a list.
        expires_in: seconds from now; negative for a token that has expired.
        backdate: seconds by which C(iat) and C(nbf) lie in the past; negative for a token that is not yet valid.

    Raises:
        InputError: a claim name is reserved, a claim has two values, or an option has the wrong type.
    """

    jwt_attribute_user_id: str = "userId"
    jwt_attribute_user_directory: str = "userDirectory"
    user_directory: str | None = None
    name: str | None = None
    email: str | None = None
    groups: list[str] | str | None = None
    groups_claim: str = "groups"
    claims: Mapping[str, t.Any] | None = None
    audience: list[str] | str | None = None
    expires_in: int | str = 900
    backdate: int | str = 60
    _common: dict[str, t.Any] = dataclasses.field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for option in ("jwt_attribute_user_id", "jwt_attribute_user_directory", "groups_claim"):
            self._set(option, claim_name(text_of(getattr(self, option), option), option))
        if self.jwt_attribute_user_id == self.jwt_attribute_user_directory:
            raise InputError(
                "The claims for the user id and the user directory have the same name.",
                hint="Give two different names.",
            )
        if self.user_directory is not None:
            self._set("user_directory", _identifier(self.user_directory, "user_directory"))
        for option in ("expires_in", "backdate"):
            self._set(option, seconds(getattr(self, option), option=option))
        audience = _texts(self.audience, "audience")
        common = _free_claims(self.claims)
        for claim, value in (
            ("name", _optional(self.name, "name")),
            ("email", _optional(self.email, "email")),
            ("aud", audience[0] if len(audience) == 1 else audience),
            (self.groups_claim, _texts(self.groups, "groups")),
        ):
            if value:
                _add(common, claim, value)
        self._set("_common", common)

    def _set(self, field: str, value: t.Any) -> None:
        object.__setattr__(self, field, value)

    def claims_of(self, user: t.Any, *, now: int) -> dict[str, t.Any]:
        """Return the claims of one token.

        Args:
            user: C(DIRECTORY\\user), the user id alone, or a dictionary: C(user), or C(user_id) and
                C(user_directory), and any field of this class.
            now: seconds since 1970 UTC.

        Raises:
            InputError: the user is not text or has no directory, or a field is unknown or contradicts another.
        """
        if not isinstance(user, Mapping):
            directory, user_id = _directory_and_id(user)
            return self._claims(directory or self.user_directory, user_id, now)
        fields = {str(key): value for key, value in user.items() if value is not None}
        if unknown := fields.keys() - _FIELDS:
            raise InputError(
                f"A user has unknown fields: {join_names(unknown)}.",
                hint=f"The fields are {', '.join(sorted(_FIELDS))}; give other claims in claims.",
            )
        directory, user_id = None, fields.pop("user_id", None)
        if "user" in fields:
            if user_id is not None:
                raise InputError("A user has both user and user_id.", hint="Give one of them.")
            directory, user_id = _directory_and_id(fields.pop("user"))
            if directory and str(fields.get("user_directory", directory)).lower() != directory.lower():
                raise InputError("A user has two different user directories.", hint="Give one of them.")
        if isinstance(fields.get("claims"), Mapping):
            fields["claims"] = {**(self.claims or {}), **fields["claims"]}
        recipe = dataclasses.replace(self, **fields) if fields else self
        return recipe._claims(directory or recipe.user_directory, user_id, now)

    def _claims(self, directory: str | None, user_id: t.Any, now: int) -> dict[str, t.Any]:
        common, id_claim, directory_claim = self._common, self.jwt_attribute_user_id, self.jwt_attribute_user_directory
        claims: dict[str, t.Any] = {
            id_claim: _identifier(common.get(id_claim) if user_id is None else user_id, "user id")
        }
        constant = constant_directory(directory_claim)
        if constant is None:
            claims[directory_claim] = _identifier(directory or common.get(directory_claim), "user directory")
        elif directory and directory.lower() != constant.lower():
            raise InputError(
                "The user directory differs from the fixed directory of the virtual proxy.",
                hint="Omit the directory, or set jwt_attribute_user_directory to the same one in brackets.",
            )
        for name, value in common.items():
            _add(claims, name, value)
        claims["iat"], claims["nbf"], claims["exp"] = self._times(now)
        return claims

    def _times(self, now: int) -> tuple[int, int, int]:
        """Return iat, nbf and exp, in ascending order for all values of the two durations."""
        expires_in, backdate = int(self.expires_in), int(self.backdate)
        expires = max(now, now - backdate) + expires_in
        not_before = min(now - backdate, expires - 1)
        return min(now, not_before), not_before, expires


# The claim of the groups is determined by the virtual proxy only.
_FIELDS = {field.name for field in dataclasses.fields(Recipe) if field.init} - {"groups_claim"} | {"user", "user_id"}


def _add(claims: dict[str, t.Any], name: str, value: t.Any) -> None:
    if claims.setdefault(name, value) != value:
        raise InputError(f"There are two different values for the claim {name}.", hint="Give one of them.")


def text_of(value: t.Any, what: str) -> str:
    """Return a text, and refuse other types: numbers from YAML may have lost a leading zero.

    Raises:
        InputError: the value has another type.
    """
    if isinstance(value, str) or getattr(value, "__ENCRYPTED__", False):  # the latter: vaulted, up to ansible-core 2.18
        return str(value)
    raise InputError(f"The {what} is {_kind_of(value)}, not text.", hint="Give text, and put a number in quotes.")


def _kind_of(value: t.Any) -> str:
    """Return the YAML name of a type. Ansible's own types are subclasses, whose names are unknown to users."""
    kinds: tuple[tuple[tuple[type, ...], str], ...] = (
        ((type(None),), "null"),
        ((bool,), "a boolean"),
        ((int, float), "a number"),
        ((datetime.date,), "a date"),
        ((Mapping,), "a dictionary"),
        ((list, tuple), "a list"),
    )
    return next((name for types, name in kinds if isinstance(value, types)), "a value")


def _optional(value: t.Any, what: str) -> str:
    return "" if value is None else text_of(value, what)


def _texts(value: t.Any, what: str) -> list[str]:
    """Return a list of texts. A text is a list with one entry, so a group such as C(CN=a,OU=b) is not split."""
    if value is None or value == "":
        return []
    return [text_of(item, what) for item in (value if isinstance(value, (list, tuple)) else [value])]


def _free_claims(claims: t.Any) -> dict[str, t.Any]:
    claims = {} if claims is None else claims
    if not isinstance(claims, Mapping):
        raise InputError("The value of claims is not a dictionary.", hint="Give claim names and their values.")
    elsewhere = {"exp": "expires_in", "nbf": "backdate", "iat": "backdate", "aud": "audience"}
    result = plain(claims)
    for name, value in result.items():
        if name in elsewhere:
            raise InputError(f"The claim {name} cannot be set in claims.", hint=f"Set {elsewhere[name]} instead.")
        if name in RESERVED_CLAIMS:
            text_of(value, f"claim {name}")
    return result


def _directory_and_id(user: t.Any) -> tuple[str | None, str]:
    # Two backslashes count as one, because it depends on the quotes around a Jinja expression which form arrives.
    directory, backslash, user_id = text_of(user, "user").replace("\\\\", "\\").partition("\\")
    if not backslash:
        return None, _identifier(directory, "user id")
    return _identifier(directory, "user directory"), _identifier(user_id, "user id")


def _identifier(value: t.Any, what: str) -> str:
    if value is None:
        raise InputError(f"No {what} is given.", hint=f"Write DIRECTORY\\user, or give {what.replace(' ', '_')}.")
    text = text_of(value, what)
    if text and text.isprintable() and text == text.strip() and "\\" not in text:
        return text
    if not text:
        raise InputError(f"The {what} is empty.", hint="Write DIRECTORY\\user.")
    raise InputError(
        f"The {what} has a control character, a blank at its beginning or end, or an additional backslash.",
        hint="Write DIRECTORY\\user; inside double quotes YAML needs two backslashes for one.",
    )


def recipe_fields(virtual_proxy: VirtualProxy) -> dict[str, t.Any]:
    """Return the fields of a Recipe from the settings of a virtual proxy, as far as they are known.

    Raises:
        InputError: it does not accept tokens.
    """
    fields = virtual_proxy.fields
    if fields.get("authentication_method", "jwt") != "jwt":
        raise InputError(
            "The virtual proxy does not accept tokens, because its authentication_method is not jwt.",
            hint="Give a JWT virtual proxy.",
        )
    names = ("jwt_attribute_user_id", "jwt_attribute_user_directory")
    result = {name: fields[name] for name in names if fields.get(name)}
    if audience := fields.get("jwt_audience"):
        result["audience"] = text_of(audience, "jwt_audience of the virtual proxy")
    # Qlik's guides and the section access of apps use the attribute group.
    groups = {
        str(one.get("jwt_attribute"))
        for one in fields.get("jwt_attribute_map") or ()
        if str(one.get("sense_attribute")).casefold() in ("group", "groups")
    }
    return {**result, "groups_claim": groups.pop()} if len(groups) == 1 else result


def require_mandatory(claims: t.Mapping[str, t.Any], virtual_proxy: VirtualProxy) -> None:
    """Raise if a token with these claims would be refused because mandatory ones are missing.

    Raises:
        InputError: with the names of the claims.
    """
    if missing := [sanitize(name, 60) for name in virtual_proxy.mandatory_claims if name not in claims]:
        raise InputError(
            f"The virtual proxy refuses tokens without {', '.join(missing)}.",
            hint="Give mandatory claims with claims, name, email or groups.",
        )


def minter(
    key: RSAPrivateKey, *, algorithm: str = "RS256", key_id: str | None = "thumbprint"
) -> t.Callable[[dict[str, t.Any]], str]:
    """Return a function that signs claims with a key and returns the token, without the word Bearer.

    Args:
        key: an RSA private key.
        algorithm: one of ALGORITHMS.
        key_id: the C(kid) in the header; "thumbprint" for the thumbprint (RFC 7638), empty or None to omit it.

    Raises:
        InputError: the algorithm is not one of ALGORITHMS.
        MissingLibraryError: the library PyJWT is missing.
    """
    require_algorithm(algorithm)
    try:
        import jwt
    except ImportError as exc:
        raise MissingLibraryError("PyJWT") from exc
    headers = {"kid": thumbprint(key) if key_id == "thumbprint" else key_id} if key_id else None
    return functools.partial(jwt.encode, key=key, algorithm=algorithm, headers=headers)
