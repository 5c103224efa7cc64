# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The enums of the repository, and the values that a release knows."""

from __future__ import annotations

from ..releases import Release
from .schema import BY_2021, Enum

# EVIDENCE(B; qlik-api-qrs-schemas 16.5.5, generated from a site): the names of enums end in Enum
# INVENTED(switch=none): the names of the enums for SameSite and load balancing
AUTHENTICATION_METHOD = Enum(
    "AuthenticationMethodEnum",
    ("Ticket", "HeaderStaticUserDirectory", "HeaderDynamicUserDirectory", "SAML", "JWT", "OIDC"),
)
HEADER_AUTHENTICATION_MODE = Enum(
    "HeaderAuthenticationModeEnum", ("NotAllowed", "StaticUserDirectory", "DynamicUserDirectory", "Undefined")
)
ANONYMOUS_ACCESS_MODE = Enum("AnonymousAccessModeEnum", ("NoAnonymousUser", "AllowAnonymous", "AlwaysAnonymous"))
SAME_SITE = Enum("SameSiteAttributeEnum", ("NoAttribute", "None", "Lax", "Strict"))
# EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): samlAttributeSigningAlgorithm is 0 SHA1, 1 SHA256
SIGNING_ALGORITHM = Enum("SamlAttributeSigningAlgorithmEnum", ("SHA1", "SHA256"))
# EVIDENCE(B; qlik-repo-api): loadBalancingAlgorithm is 0 RoundRobin, 1 MemoryAllocation
LOAD_BALANCING_ALGORITHM = Enum("LoadBalancingAlgorithmEnum", ("RoundRobin", "MemoryAllocation"))
# EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): nodePurpose is 0 Production, 1 Development, 2 ProductionAndDevelopment
NODE_PURPOSE = Enum("NodePurposeEnum", ("Production", "Development", "ProductionAndDevelopment"))
# EVIDENCE(B; qlik-api-qrs-schemas 16.5.5): the levels of a proxy's logs are two enums, which differ in level 4 and 5
AUDIT_LOG_VERBOSITY = Enum("AuditActivityLogVerbosityEnum", ("Off", "Fatal", "Error", "Warning", "Basic", "Extended"))
SERVICE_LOG_VERBOSITY = Enum("ServiceLogVerbosityEnum", ("Off", "Fatal", "Error", "Warning", "Info", "Debug"))
NODE_ROLE = Enum(
    "DefinitionEnum",
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
    AUDIT_LOG_VERBOSITY,
    SERVICE_LOG_VERBOSITY,
)


def enum_values(enum: Enum, release: Release) -> tuple[str, ...]:
    """Return the names that a release knows, in the order of their numbers."""
    # EVIDENCE(B; Qlik-Cli-Windows issue 193): authentication method 5, OIDC, is unknown to old releases
    if enum is AUTHENTICATION_METHOD and not release.includes(BY_2021):
        return enum.values[:5]
    return enum.values
