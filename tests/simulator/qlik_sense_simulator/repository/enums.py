# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enums of the repository, and the values that a release knows."""

from __future__ import annotations

from ..releases import Release
from .schema import BY_2021, Enum

AUTHENTICATION_METHOD = Enum(
    "AuthenticationMethod", ("Ticket", "HeaderStaticUserDirectory", "HeaderDynamicUserDirectory", "SAML", "JWT", "OIDC")
)
HEADER_AUTHENTICATION_MODE = Enum(
    "HeaderAuthenticationMode", ("NotAllowed", "StaticUserDirectory", "DynamicUserDirectory", "Undefined")
)
ANONYMOUS_ACCESS_MODE = Enum("AnonymousAccessMode", ("NoAnonymousUser", "AllowAnonymous", "AlwaysAnonymous"))
SAME_SITE = Enum("SameSiteAttribute", ("NoAttribute", "None", "Lax", "Strict"))
# EVIDENCE(B; Qlik-Cli-Windows): samlAttributeSigningAlgorithm is 0 sha1, 1 sha256
# INVENTED(switch=none): the names of the enums for signing algorithm, load balancing and node purpose
SIGNING_ALGORITHM = Enum("SamlSigningAlgorithm", ("sha1", "sha256"))
# EVIDENCE(B; qlik-repo-api): loadBalancingAlgorithm is 0 RoundRobin, 1 MemoryAllocation
LOAD_BALANCING_ALGORITHM = Enum("LoadBalancingAlgorithm", ("RoundRobin", "MemoryAllocation"))
# EVIDENCE(B; Qlik-Cli-Windows): nodePurpose is 0 Production, 1 Development, 2 Both
NODE_PURPOSE = Enum("NodePurpose", ("Production", "Development", "Both"))
NODE_ROLE = Enum(
    "ServerNodeRoleDefinition",
    ("SchedulerMaster", "LicenceMaintenance", "UserSync", "NodeRegistration", "AppManagement", "CleanDatabase"),
)
ENUMS = (
    AUTHENTICATION_METHOD,
    HEADER_AUTHENTICATION_MODE,
    ANONYMOUS_ACCESS_MODE,
    SAME_SITE,
    SIGNING_ALGORITHM,
    LOAD_BALANCING_ALGORITHM,
    NODE_PURPOSE,
    NODE_ROLE,
)


def enum_values(enum: Enum, release: Release) -> tuple[str, ...]:
    """Return the names that a release knows, in the order of their numbers."""
    # EVIDENCE(B; Qlik-Cli-Windows issue 193): authentication method 5, OIDC, is unknown to old releases
    if enum is AUTHENTICATION_METHOD and not release.includes(BY_2021):
        return enum.values[:5]
    return enum.values
