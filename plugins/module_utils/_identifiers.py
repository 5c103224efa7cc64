# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""One validator per identifier from any source: options, notes on a site, files, names of nodes. Pure, no I/O.

Each validator returns the identifier in its normalized form, or raises InputError with the name of the option.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ._errors import InputError
from ._text import sanitize

RESERVED_CLAIMS = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti")
"""Registered claims of RFC 7519. According to Qlik's article, claim names must not be among the reserved ones."""

RESERVED_PREFIXES = frozenset(
    [
        "api",
        "app",
        "appcontent",
        "content",
        "dev-hub",
        "engine",
        "extensions",
        "hub",
        "identity",
        "internal_forms_authentication",
        "internal_windows_authentication",
        "qlik-embed",
        "qmc",
        "qps",
        "qrs",
        "resources",
        "sense",
        "single",
        "tempcontent",
        "ttl",
    ]
)
"""First path segments that a proxy uses for Qlik Sense itself. No list is published; these are the known ones."""

# Headers that frame a request or that the client sends. Qlik help "Virtual proxies" also excludes its own headers.
_RESERVED_HEADERS = (
    "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "host",
    "qlik-csrf-token", "te", "trailer", "transfer-encoding", "upgrade", "x-qlik-user", "x-qlik-xrfkey",
)  # fmt: skip


def _token(value: str, option: str, what: str, sample: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):  # RFC 9110, 5.6.2
        hint = f"Use letters, digits and hyphens, such as {sample}."
        raise InputError(f"{option} is {sanitize(value, 60)!r}, which is not {what}.", hint=hint)
    return value


def is_valid(validator: t.Callable[[str], t.Any], value: str) -> bool:
    """Return True if a validator of this module accepts the value."""
    try:
        validator(value)
    except InputError:
        return False
    return True


def prefix(value: str, option: str = "prefix") -> str:
    """Validate the prefix of a virtual proxy and return it in lower case.

    The default virtual proxy, whose prefix is empty, is refused. Qlik help, "Creating a virtual proxy": lower-case
    letters, digits and - . _ ~ only.

    Raises:
        InputError: it cannot be a prefix.
    """
    text = value.lower()
    foreign = "".join(dict.fromkeys(re.sub(r"[a-z0-9._~-]", "", text)))
    shown = repr(sanitize(value, 60))
    if not text:
        problem = "is empty, which is the default virtual proxy. It cannot be managed."
    elif foreign:
        names = "control characters" if not foreign.isprintable() else "blanks" if foreign.isspace() else repr(foreign)
        problem = f"is {shown}, which contains {names}; only letters, digits and - . _ ~ are allowed."
    elif set(text) == {"."}:
        problem = f"is {shown}, which contains only dots."
    elif text in RESERVED_PREFIXES:
        problem = f"is {shown}, which is a path of Qlik Sense itself."
    else:
        return text
    raise InputError(f"{option} {problem}", hint="Give only the prefix, such as 'jwt' or 'portal'.")


def server_path(value: str) -> str:
    """Return the path that a server uses for a text in the place of a prefix, in lower case, without outer slashes.

    Percent-encoding is decoded and dot segments are resolved (RFC 3986, 6.2.2), as clients and servers do.
    """
    text = value.strip()
    while (decoded := urllib.parse.unquote(text)) != text:
        text = decoded
    segments: list[str] = []
    for segment in re.split(r"[/\\]", re.split(r"[?#]", text)[0]):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment.strip().casefold())
    return "/".join(segments)


def leads_to(path: str | None, prefix_: str) -> bool:
    """Return True if requests below a path reach the virtual proxy with a prefix.

    Args:
        path: the path between host and /qrs, in any spelling, None if there is none.
        prefix_: the prefix of a virtual proxy, not that of the default one.
    """
    return path is not None and f"{server_path(path)}/".startswith(f"{server_path(prefix_)}/")


def cookie_name(value: str, option: str = "session_cookie_header_name") -> str:
    """Validate the name of a cookie (RFC 6265, 4.1.1) and return it.

    Raises:
        InputError: it cannot be one.
    """
    return _token(value, option, "a cookie name", "X-Qlik-Session-portal")


def claim_name(value: str, option: str) -> str:
    """Return the name of a claim that a virtual proxy reads. The claim "sub" is reported to work as a user id.

    Raises:
        InputError: it is empty, or reserved for the token itself.
    """
    if not value.strip():
        raise InputError(f"{option} is empty.", hint="Give the name of a claim, such as 'userId' or 'userDirectory'.")
    if value in RESERVED_CLAIMS and value != "sub":
        raise InputError(
            f"{option} is the claim {value!r}, which is reserved for the token itself (RFC 7519).",
            hint="Choose another name in the tokens and on the virtual proxy.",
        )
    return value


def key_id(value: str, option: str = "kid") -> str:
    """Return the identifier (kid) of a signing key, which front ends compare with that of a token.

    Raises:
        InputError: it is empty or contains control characters, which the configuration of a front end cannot contain.
    """
    if not value or not value.isprintable():
        raise InputError(
            f"{option} is empty or contains control characters.", hint="Change the name of the key at the provider."
        )
    return value


def host(value: str, option: str = "host") -> str:
    """Return a host name or an IP address in the form for URLs, with an IPv6 address in brackets.

    Raises:
        InputError: it is neither. A value that may contain a password is not quoted.
    """
    hint = "Give only the name, such as qlik.example.com."
    if "@" in value:
        raise InputError(f"{option} contains a user name or a password.", hint=hint)
    if value.count(":") == 1 and re.fullmatch(r"[\w.-]+:\d*", value):
        raise InputError(
            f"{option} is {sanitize(value, 60)!r}, which contains a port.",
            hint=f"Give the port in the option 'port', and only the name in {option}.",
        )
    try:
        if ":" in value and "%" not in value:  # a zone may contain any characters
            import ipaddress

            return f"[{ipaddress.IPv6Address(value.removeprefix('[').removesuffix(']'))}]"
        # RFC 1035, 2.3.4: no empty label, 63 characters a label, 253 in total. Windows allows underscores.
        usable = re.fullmatch(r"[\w.-]+", value) and value[0] != "-" and len(value.encode("idna")) <= 253
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{option} is {sanitize(value, 60)!r}, which is not a host name.", hint=hint)
    return value


def allowed_host(value: str) -> str:
    """Return the reason why an entry of the host allow list may have no effect, "" for the exact name of a host.

    The list is documented as exact host names, but Qlik's nebula.js and catwalk tell users to enter host and port.

    Raises:
        InputError: it contains no host name, so that it cannot match one.
    """
    scheme, separator, rest = value.rpartition("://")
    kinds = ["a scheme"] if separator else []
    rest, slash, path = rest.partition("/")
    if slash and separator:
        kinds.append("a slash" if not path else "a path")
    name = rest.removeprefix("[").partition("]")[0] if rest.startswith("[") else rest
    if rest != f"[{name}]" and re.search(r":(\d+|\*)$", rest) and (rest.startswith("[") or rest.count(":") == 1):
        kinds.append("a port")
        name = name if rest.startswith("[") else rest.rpartition(":")[0]
    plain = name.replace("*", "x").removeprefix(".")
    if "*" in name or name.startswith("."):
        kinds.append("a wildcard")
    if not is_valid(host, plain) or "@" in value or (slash and not separator) or (separator and not scheme):
        # Before an @ there can be a password.
        shown = f"the entry {sanitize(value.rpartition('@')[2], 60)!r}" if value.strip() else "an empty entry"
        raise InputError(
            f"The host allow list contains {shown}, which is not a host name.",
            hint="Give exact host names, such as portal.example.com.",
        )
    return " and ".join(kinds)


def hosts(values: t.Sequence[str], option: str = "host") -> list[str]:
    """Return the results of host for several names, without duplicates and in their order.

    Raises:
        InputError: there is no name, or one is not a host name.
    """
    return list(dict.fromkeys(host(value.strip(), option) for value in values or [""]))


def inventory_name(value: str, option: str = "name") -> str:
    """Return a name that can be the name of an inventory host, a file and a directory.

    Raises:
        InputError: it contains characters with a meaning in Ansible's patterns or in paths.
    """
    if not re.fullmatch(r"\w[\w .@()+=-]*", value) or value != value.strip():
        raise InputError(
            f"{option} is {sanitize(value, 60)!r}, which cannot be the name of a host.", hint="Rename it in the QMC."
        )
    return value


def seconds(value: float, option: str) -> float:
    """Return a timeout in seconds.

    Raises:
        InputError: it is not above 0, or more than a day.
    """
    if not 0 < value <= 86400:  # also for nan
        raise InputError(f"{option} is {value}, which is not a valid timeout.", hint="Give seconds, such as 30.")
    return value


def port(value: int, option: str) -> int:
    """Return a TCP port.

    Raises:
        InputError: it is not a port.
    """
    if not 1 <= value <= 65535:
        raise InputError(f"{option} is {value}, which is not a port.", hint="Give a number from 1 to 65535.")
    return value


def user(value: str, option: str = "user") -> tuple[str, str]:
    r"""Return directory and name of a user given as DIRECTORY\user.

    Raises:
        InputError: it has another form.
    """
    directory, _separator, name = value.partition("\\")
    if not (directory.strip() and name.strip()) or not value.isprintable():
        raise InputError(
            f"{option} is {sanitize(value, 60)!r}, which is not of the form DIRECTORY\\user.",
            hint=r"Give for example INTERNAL\sa_api.",
        )
    return directory, name


def header_name(value: str, option: str = "header_name") -> str:
    """Return the name of an HTTP header.

    Raises:
        InputError: it cannot be one.
    """
    if value.lower() in _RESERVED_HEADERS:
        raise InputError(
            f"{option} is {value!r}, which is a reserved header.", hint="Give the name that the QMC shows."
        )
    return _token(value, option, "the name of a header", "X-User")


def header_value(value: str, option: str) -> str:
    """Return the value of an HTTP header. Messages do not quote it, because it may be secret.

    Raises:
        InputError: it contains other characters than printable ASCII, or begins or ends with a blank.
    """
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise InputError(
            f"{option} contains characters that cannot be sent in a header, or begins or ends with a blank.",
            hint="Give printable ASCII characters on one line.",
        )
    return value


def _host_url(text: str, *schemes: str) -> urllib.parse.SplitResult | None:
    """Return the parts of a URL that consists of scheme, host and port only, None for another text."""
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in schemes and parts.path in ("", "/") and parts.port != 0
    except ValueError:
        return None
    usable = usable and not (parts.query or parts.fragment or re.search(r"[@\s]", parts.netloc))
    return parts if usable and is_valid(host, parts.hostname or "") else None


def base_url(value: str, option: str, number: int | None = None) -> str:
    """Return the base URL of a proxy without a trailing slash.

    Args:
        value: a URL, or a host name with or without a port. It is not quoted, because URLs may contain passwords.
        option: the name of the option, for messages.
        number: its position in the list, from 1.

    Raises:
        InputError: it is not the URL of a host.
    """
    text = value.strip()
    parts = _host_url(text if "://" in text else f"https://{text}", "http", "https")
    if not parts:
        what = f"The option '{option}'" if number is None else f"Entry {number} of the option '{option}'"
        raise InputError(
            f"{what} is not the base URL of a proxy.",
            hint="Give scheme and host name, and the port if it is not the default, such as https://qlik1.example.com; "
            "prefixes belong to the logins.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def web_proxy(value: str, option: str = "http_proxy") -> str:
    """Return the URL of a web proxy.

    Args:
        value: of the option. It is not quoted, because URLs may contain passwords.
        option: the name of the option, for messages.

    Raises:
        InputError: it is not such a URL, or contains a user name and a password.
    """
    parts = _host_url(value.strip(), "http")
    if not parts or parts.netloc.endswith(":"):
        raise InputError(
            f"The option '{option}' is not the URL of a web proxy.",
            hint="Give scheme http, host name and port, such as http://proxy.example.com:3128, without user and "
            "password.",
        )
    return f"{parts.scheme}://{parts.netloc}"
