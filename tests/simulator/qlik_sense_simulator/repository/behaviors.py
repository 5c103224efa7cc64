# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches of the repository: what the public sources leave open, see `ProxySwitches`."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, kw_only=True)
class RepositorySwitches:
    """How the simulated site behaves where a real one could behave either way."""

    # --- Who gets in

    missing_client_certificate: t.Literal["tls", "403"] = "tls"
    """A caller without a client certificate: the TLS handshake fails, or 403 Forbidden (both are reported)."""

    missing_user_header: t.Literal["administrator", "403"] = "administrator"
    """A client certificate without X-Qlik-User: full rights (Qlik help, "requests are made with full administrator
    rights"), or refused."""

    unauthorized_list: t.Literal["empty", "403"] = "empty"
    """A list for a user without rights: 200 and nothing in it, or 403."""

    # --- What an answer looks like

    error_body: t.Literal["text", "json_string", "json_object"] = "text"
    """The body of a refusal: bare text, the same as a JSON string, or inside a JSON object."""

    create_status: t.Literal["201", "200"] = "201"
    """The status of a successful POST."""

    update_status: t.Literal["200", "204"] = "200"
    """The status of a successful PUT: 200 with the entity, or 204 without a body."""

    count_body: t.Literal["object", "number"] = "object"
    """GET .../count: an object with a value (measured, qlik-sense-mcp), or the bare number of the reference."""

    local_node: t.Literal["entity", "container"] = "entity"
    """GET servernodeconfiguration/local: the entity (generated clients), or the older container around it."""

    date_suffix: t.Literal["Z", "+00:00"] = "Z"
    """How an answer writes UTC."""

    date_fraction: t.Literal["3", "7", "trimmed", "0"] = "3"
    """The fraction of a second in an answer's dates: three digits (every published answer), seven, without zeros at its
    end (both are usual in .NET), or none. A modifiedDate that comes back counts as precisely as it was shown."""

    unset_strings: t.Literal["empty", "null", "absent"] = "empty"
    """Strings that nobody has ever set, in the fields that came after 2017: "", null, or left out."""

    unset_lists: t.Literal["empty", "null"] = "empty"
    """Lists with nothing in them: [] or null."""

    list_order: t.Literal["kept", "reversed"] = "kept"
    """The order of lists inside an entity: as they were sent, or another one."""

    secret_in_answer: t.Literal["echo", "mask", "absent"] = "echo"
    """oidcClientSecret in an answer."""

    record_limit: int = 0
    """How many entities an unfiltered list has at most. 0: all. A limit of 100 is reported for /full."""

    # --- What a write does

    omitted_fields: t.Literal["mixed", "reset", "keep"] = "mixed"
    """What a PUT does to fields that it leaves out. mixed: plain values go back to their defaults, lists and objects
    stay (Qlik help: sometimes untouched, sometimes reset). reset: everything. keep: nothing."""

    unknown_fields: t.Literal["ignore", "400"] = "ignore"
    """Fields in a body that this release does not know."""

    null_lists: t.Literal["empty", "400", "500"] = "empty"
    """A list field that is null in a body: taken for an empty list, or refused. 500 was reported in 2018."""

    duplicate_status: t.Literal["400", "409", "422", "500"] = "400"
    """A prefix, cookie name or other unique value that something else has already."""

    invalid_status: t.Literal["400", "409", "422", "500"] = "400"
    """A value that cannot be: a prefix with other characters, no cookie name, the id of something that does not
    exist."""

    upper_case_prefix: t.Literal["lower", "keep", "400"] = "lower"
    """A prefix with capitals: stored in lower case (as the upgrade to release 3.0 did), stored as it is, or refused."""

    slash_in_prefix: t.Literal["400", "accept"] = "400"
    """A prefix of several segments. The help of Sense 2.x allowed it, the current one lists no slash."""

    certificate_check: t.Literal["none", "400"] = "none"
    """Whether the repository itself looks at jwtPublicKeyCertificate. none: a bad one only fails in the proxy."""

    certificate_text: t.Literal["verbatim", "normalised", "crlf"] = "verbatim"
    """jwtPublicKeyCertificate comes back exactly as sent; with LF line ends and no blanks around; or with CRLF."""

    response_headers_text: t.Literal["verbatim", "normalised", "crlf"] = "verbatim"
    """The same for additionalResponseHeaders."""

    delete_linked: t.Literal["cascade", "400", "409"] = "cascade"
    """DELETE of a virtual proxy that is linked: the links go too, or it is refused."""

    delete_default: t.Literal["400", "403", "409", "accept"] = "400"
    """DELETE of the default virtual proxy."""

    link_touches_virtual_proxy: bool = False
    """Linking or unlinking a virtual proxy also moves its own modifiedDate."""

    save_touches_proxy_service: bool = False
    """Saving a virtual proxy also moves the modifiedDate of the proxy services that it is linked to."""

    missing_route: t.Literal["405", "404"] = "405"
    """A method that a path does not have, such as POST on proxyservice."""

    # --- Filters

    custom_property_filter: t.Literal["400", "accept"] = "400"
    """@name in a filter, for the value of a custom property. No public source uses it on these entities."""

    not_in_filter: t.Literal["400", "accept"] = "400"
    """not before a comparison or a group. No public source has it."""

    like_in_filter: t.Literal["400", "accept"] = "400"
    """The operator like, with % for any characters. No public source has it."""

    null_in_filter: t.Literal["accept", "400"] = "accept"
    """The literal null in a filter."""
