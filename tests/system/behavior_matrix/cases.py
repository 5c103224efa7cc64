# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each value of each switch that is not the default, and a site on which it has an effect."""

from __future__ import annotations

import dataclasses
import typing as t

from qlik_sense_simulator.behaviors import Switches

NUMBERS: dict[str, tuple[float, ...]] = {
    "reload_seconds": (0.5,),
    "leeway_seconds": (60,),
    "record_limit": (100,),
}
"""Values for switches that accept any number; other switches of this kind get 1."""

REQUIRED_SWITCHES: dict[str, dict[str, t.Any]] = {
    "reload_answer": {"reload_seconds": 0.5},
    "access_pass_notice": {"access_pass": False},
    "websocket_refusal": {"access_pass": False},
    "session_limit_counts": {"session_limit": "refuse"},
}
"""Other switches that a switch requires to have an effect."""

OWN_NAMES = ["localhost", "127.0.0.1"]
"""The nodes, for sites on which their names have to be on the host allow list; "plain" has none of them."""

RELEASES = {"websocket_asks_to_sign_in": "may-2024"}
"""The release that a switch requires, if it is not the default."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One value of one switch."""

    switch: str
    value: t.Any

    def __str__(self) -> str:
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.switch}: {value}"

    @property
    def name(self) -> str:
        """Fit for a file, and for a host of an inventory."""
        return str(self).replace(": ", "-").replace("+", "plus").replace(":", "")

    def site(self, certificate: str) -> dict[str, t.Any]:
        """Return the content of a site file.

        Args:
            certificate: PEM text for the virtual proxy that is there from the start.
        """
        return {
            **({"release": RELEASES[self.switch]} if self.switch in RELEASES else {}),
            "switches": {self.switch: self.value, **REQUIRED_SWITCHES.get(self.switch, {})},
            "users": [
                {"user_directory": "EXAMPLE", "user_id": "admin", "roles": ["RootAdmin"], "password": "An open secret"},
                {"user_directory": "EXAMPLE", "user_id": "blocked", "inactive": True},
                {"user_directory": "EXAMPLE", "user_id": "guest"},
            ],
            # More than some sites return at once; the one that is wanted comes last.
            "tags": [*(f"tag {number}" for number in range(100)), "portal"],
            "custom_properties": [{"name": "Stage", "choice_values": ["dev", "prod"]}],
            "virtual_proxies": [
                {"prefix": "", "websocketCrossOriginWhiteList": OWN_NAMES},
                {
                    "prefix": "special",
                    "description": "Uses everything that may or may not work",
                    "sessionCookieHeaderName": "X-Qlik-Session-special",
                    "authenticationMethod": 4,
                    "jwtPublicKeyCertificate": certificate,
                    "jwtAttributeUserId": "sub",
                    "jwtAttributeUserDirectory": "[EXAMPLE]",
                    "jwtAudience": "qlik",
                    "jwtAttributeMap": [{"jwtAttribute": "groups", "senseAttribute": "group", "isMandatory": True}],
                    "websocketCrossOriginWhiteList": OWN_NAMES,
                    "loadBalancingServerNodes": ["Central"],
                    "proxies": ["Central", "Rim1"],
                },
            ],
        }


def cases() -> list[Case]:
    """Return all cases. They are derived from the types of the switches, so a new switch needs no entry here."""
    defaults = Switches()
    found = []
    for name, kind in t.get_type_hints(Switches).items():
        values: t.Iterable[t.Any]
        if t.get_origin(kind) is t.Literal:
            values = t.get_args(kind)
        elif kind is bool:
            values = (True, False)
        else:
            values = NUMBERS.get(name, (1,))
        found += [Case(name, value) for value in values if value != getattr(defaults, name)]
    return found
