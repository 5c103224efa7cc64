# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All entities of the repository that are simulated: fields, defaults, and the release that each came with.

Unless a field says otherwise: EVIDENCE(A; QRS API reference, pages VirtualProxyConfig, ProxyService,
ServerNodeConfiguration, Tag, CustomPropertyDefinition) for names and types, EVIDENCE(B; QRSMeteor, captured entities of
2017) for order and values.
"""

from __future__ import annotations

import dataclasses

from .releases import Release
from .schema import EntityType, Enum, Field

AUTHENTICATION_METHOD = Enum(
    "AuthenticationMethod", ("Ticket", "HeaderStaticUserDirectory", "HeaderDynamicUserDirectory", "SAML", "JWT", "OIDC")
)
HEADER_AUTHENTICATION_MODE = Enum(
    "HeaderAuthenticationMode", ("NotAllowed", "StaticUserDirectory", "DynamicUserDirectory", "Undefined")
)
ANONYMOUS_ACCESS_MODE = Enum("AnonymousAccessMode", ("NoAnonymousUser", "AllowAnonymous", "AlwaysAnonymous"))
SAME_SITE = Enum("SameSiteAttribute", ("NoAttribute", "None", "Lax", "Strict"))
# EVIDENCE(B; Qlik-Cli-Windows): 0 sha1, 1 sha256; INVENTED(switch=none): the names of the enums themselves
SIGNING_ALGORITHM = Enum("SamlSigningAlgorithm", ("sha1", "sha256"))
# EVIDENCE(B; qlik-repo-api): 0 RoundRobin, 1 MemoryAllocation
LOAD_BALANCING_ALGORITHM = Enum("LoadBalancingAlgorithm", ("RoundRobin", "MemoryAllocation"))
# EVIDENCE(B; Qlik-Cli-Windows): 0 Production, 1 Development, 2 Both
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

# EVIDENCE(B; qlik-repo-api typings, July 2021): there by then, and not in the captures of 2017
_BY_2021 = "2021-05"
# INVENTED(switch=none): somewhere between those typings and both stored generations of the API reference
_BY_2022 = "2022-05"
# EVIDENCE(B; qlik-repo-api changelog 0.15.1, September 2024): clients got it then
# INVENTED(switch=none): since May 2024
_BY_2024 = "2024-05"
# EVIDENCE(A; QRS API reference): only in the newer stored generation; INVENTED(switch=none): since November 2025
_BY_2025 = "2025-11"

_DATES = (
    Field("createdDate", "date", condensed=False, writable=False),
    Field("modifiedDate", "date", condensed=False, writable=False),
    Field("modifiedByUserName", condensed=False, writable=False),
)
_HEAD = (Field("id", "guid", writable=False), *_DATES)
# EVIDENCE(B; captured entities of 2017, API reference 38.35.0): impactSecurityAccess existed once
# INVENTED(switch=none): until when
_TAIL = (
    Field("privileges", "fixed", None, writable=False),
    Field("impactSecurityAccess", "fixed", False, condensed=False, writable=False, until="2020-01"),
    Field("schemaPath", "fixed", condensed=False, writable=False),
)
_PART_TAIL = _TAIL[1:]
_TAGS = Field("tags", "references", target="Tag")
_CUSTOM_PROPERTIES = Field("customProperties", "items", target="CustomPropertyValue", condensed=False)


def _attribute_map(prefix: str, name: str) -> EntityType:
    """The type of a row that maps an attribute of a token or assertion to one of the session."""
    # EVIDENCE(A; QRS API reference, VirtualProxyConfigJwtAttributeMapItem): these three are required
    # INVENTED(switch=none): schemaPath, and that the other two kinds of items look alike
    return EntityType(
        name=name,
        schema_path=name.replace("Config", "Config.", 1),
        fields=(
            *_HEAD,
            Field(f"{prefix}Attribute", required=True),
            Field("senseAttribute", required=True),
            Field("isMandatory", "flag", False),
            *_PART_TAIL,
        ),
    )


VIRTUAL_PROXY = EntityType(
    name="VirtualProxyConfig",
    schema_path="VirtualProxyConfig",
    methods=frozenset(("POST", "PUT", "DELETE")),
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        Field("prefix"),
        Field("description"),
        Field("authenticationModuleRedirectUri"),
        Field("sessionModuleBaseUri"),
        Field("loadBalancingModuleBaseUri"),
        # INVENTED(switch=none): the default
        Field("useStickyLoadBalancing", "flag", False, since=_BY_2021),
        Field("loadBalancingServerNodes", "references", target="ServerNodeConfiguration"),
        Field("loadBalancingAlgorithm", "enum", 0, LOAD_BALANCING_ALGORITHM, since=_BY_2024),
        Field("enableEngineSaturationCheck", "flag", False, since=_BY_2024),
        Field("enableEngineHealthCheckData", "flag", False, since=_BY_2024),
        Field("authenticationMethod", "enum", 0, AUTHENTICATION_METHOD),
        # EVIDENCE(B; QRSMeteor, create body and captured answer): derived from authenticationMethod
        Field("headerAuthenticationMode", "enum", 0, HEADER_AUTHENTICATION_MODE, writable=False),
        Field("headerAuthenticationHeaderName"),
        Field("headerAuthenticationStaticUserDirectory"),
        Field("headerAuthenticationDynamicUserDirectory"),
        Field("anonymousAccessMode", "enum", 0, ANONYMOUS_ACCESS_MODE),
        Field("windowsAuthenticationEnabledDevicePattern", default="Windows"),
        # EVIDENCE(A; QRS API reference, VirtualProxyConfig): the one field that must not be missing
        Field("sessionCookieHeaderName", default=None, required=True),
        Field("sessionCookieDomain"),
        Field("sessionCookieCustomPath", default=None, late=True, since=_BY_2025),
        # INVENTED(switch=none): the defaults of these four
        Field("hasSecureAttributeHttps", "flag", True, since=_BY_2021),
        Field("sameSiteAttributeHttps", "enum", 0, SAME_SITE, since=_BY_2021),
        Field("hasSecureAttributeHttp", "flag", False, since=_BY_2021),
        Field("sameSiteAttributeHttp", "enum", 0, SAME_SITE, since=_BY_2021),
        Field("additionalResponseHeaders"),
        # EVIDENCE(A; Qlik help "Creating a virtual proxy"): minutes, 30; INVENTED(switch=none): at least 1
        Field("sessionInactivityTimeout", "number", 30, low=1),
        Field("extendedSecurityEnvironment", "flag", False),
        Field("websocketCrossOriginWhiteList", "texts"),
        # INVENTED(switch=none): nobody can make another virtual proxy the default one
        Field("defaultVirtualProxy", "flag", False, writable=False),
        _TAGS,
        Field("samlMetadataIdP"),
        Field("samlHostUri"),
        Field("samlEntityId"),
        Field("samlAttributeUserId"),
        Field("samlAttributeUserDirectory"),
        Field("samlAttributeSigningAlgorithm", "enum", 0, SIGNING_ALGORITHM),
        Field("samlAttributeMap", "items", target="VirtualProxyConfigSamlAttributeMapItem"),
        Field("jwtAttributeUserId"),
        Field("jwtAttributeUserDirectory"),
        Field("jwtAudience", default=None, late=True, since=_BY_2021),
        Field("jwtPublicKeyCertificate"),
        Field("jwtAttributeMap", "items", target="VirtualProxyConfigJwtAttributeMapItem"),
        Field("magicLinkHostUri"),
        Field("magicLinkFriendlyName"),
        # EVIDENCE(B; captures of September and November 2017): the second has it, as its last field; the first has not
        Field("samlSlo", "flag", False, since="2017-11"),
        *(
            Field(name, default=None, late=True, since=_BY_2021)
            for name in (
                "oidcConfigurationEndpointUri",
                "oidcClientId",
                "oidcClientSecret",
                "oidcRealm",
                "oidcAttributeSub",
                "oidcAttributeName",
                "oidcAttributeGroups",
                "oidcAttributeEmail",
                "oidcAttributeClientId",
                "oidcAttributePicture",
                "oidcScope",
            )
        ),
        Field("oidcAttributeMap", "items", target="VirtualProxyConfigOidcAttributeMapItem", since=_BY_2021),
        Field("disableOidcOptionalAttributesParsing", "flag", False, since=_BY_2022),
        *_TAIL,
    ),
)

_VERBOSITIES = ("AuditActivity", "AuditSecurity", "Service", "Audit", "Performance", "Security", "System")
LOG_VERBOSITY = EntityType(
    name="ProxyServiceSettingsLogVerbosity",
    schema_path="ProxyService.Settings.LogVerbosity",
    fields=(
        *_HEAD,
        *(Field(f"logVerbosity{name}", "number", 4, low=0, high=5) for name in _VERBOSITIES),
        *_PART_TAIL,
    ),
)
# EVIDENCE(B; Qlik-Cli-Windows): the ranges
PROXY_SETTINGS = EntityType(
    name="ProxyServiceSettings",
    schema_path="ProxyService.Settings",
    fields=(
        *_HEAD,
        Field("listenPort", "number", 443, low=1, high=65535),
        Field("allowHttp", "flag", False),
        Field("unencryptedListenPort", "number", 80, low=1, high=65535),
        Field("authenticationListenPort", "number", 4244, low=1, high=65535),
        Field("kerberosAuthentication", "flag", False),
        Field("unencryptedAuthenticationListenPort", "number", 4248, low=1, high=65535),
        Field("sslBrowserCertificateThumbprint"),
        Field("keepAliveTimeoutSeconds", "number", 10, low=1, high=300),
        Field("maxHeaderSizeBytes", "number", 16384, low=512, high=131072),
        Field("maxHeaderLines", "number", 100, low=20, high=1000),
        Field("logVerbosity", "object", None, target="ProxyServiceSettingsLogVerbosity"),
        Field("useWsTrace", "flag", False),
        Field("performanceLoggingInterval", "number", 5, low=1),
        Field("restListenPort", "number", 4243, low=1, high=65535),
        Field("virtualProxies", "references", target="VirtualProxyConfig"),
        Field("formAuthenticationPageTemplate"),
        Field("loggedOutPageTemplate"),
        Field("errorPageTemplate"),
        *_PART_TAIL,
    ),
)
PROXY_SERVICE = EntityType(
    name="ProxyService",
    schema_path="ProxyService",
    # EVIDENCE(B; qlik-utils, generated from about/api/description): no POST and no DELETE
    methods=frozenset(("PUT",)),
    local=True,
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        # EVIDENCE(B; qlik-repo-api typings, QRSMeteor): the condensed form is little more than the id
        Field("settings", "object", None, target="ProxyServiceSettings", condensed=False),
        Field(
            "serverNodeConfiguration",
            "reference",
            None,
            target="ServerNodeConfiguration",
            condensed=False,
            writable=False,
        ),
        dataclasses.replace(_TAGS, condensed=False),
        *_TAIL,
    ),
)

NODE_ROLE_ITEM = EntityType(
    name="ServerNodeRole",
    fields=(_HEAD[0], Field("definition", "enum", 0, NODE_ROLE), _TAIL[0]),
)
NODE = EntityType(
    name="ServerNodeConfiguration",
    schema_path="ServerNodeConfiguration",
    # INVENTED(switch=none): the nodes of a simulated site stay what they are: no POST container, no DELETE
    methods=frozenset(("PUT",)),
    local=True,
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        Field("name", default=None, required=True),
        Field("hostName", default=None, required=True),
        Field("temporaryfilepath", default="C:\\Windows\\Temp\\", writable=False),
        # EVIDENCE(B; typings and scripts that filter condensed lists by them): only in the full form
        Field("isCentral", "flag", False, condensed=False, writable=False),
        Field("nodePurpose", "enum", 0, NODE_PURPOSE, condensed=False),
        Field("engineEnabled", "flag", True, condensed=False),
        Field("proxyEnabled", "flag", True, condensed=False),
        Field("printingEnabled", "flag", True, condensed=False),
        Field("schedulerEnabled", "flag", True, condensed=False),
        Field("schedulerReloadEnabled", "flag", True, condensed=False, since=_BY_2024),
        Field("schedulerPreloadEnabled", "flag", True, condensed=False, since=_BY_2024),
        Field("failoverCandidate", "flag", False, condensed=False),
        Field("roles", "items", target="ServerNodeRole", writable=False),
        Field("serviceCluster", "reference", None, target="ServiceCluster", writable=False),
        dataclasses.replace(_TAGS, condensed=False),
        *_TAIL,
    ),
)

TAG = EntityType(
    name="Tag",
    schema_path="Tag",
    methods=frozenset(("POST", "PUT", "DELETE")),
    fields=(*_HEAD, Field("name", default=None, required=True), *_TAIL),
)
CUSTOM_PROPERTY = EntityType(
    name="CustomPropertyDefinition",
    schema_path="CustomPropertyDefinition",
    methods=frozenset(("POST", "PUT", "DELETE")),
    fields=(
        *_HEAD,
        Field("name", default=None, required=True),
        Field("valueType", default=None, required=True),
        Field("choiceValues", "texts"),
        Field("objectTypes", "texts", condensed=False),
        Field("description", condensed=False),
        *_TAIL,
    ),
)
CUSTOM_PROPERTY_VALUE = EntityType(
    name="CustomPropertyValue",
    schema_path="CustomPropertyValue",
    fields=(
        *_HEAD,
        Field("value", default=None, required=True),
        Field("definition", "reference", None, target="CustomPropertyDefinition", required=True),
        *_PART_TAIL,
    ),
)
SERVICE_CLUSTER = EntityType(
    name="ServiceCluster", fields=(*_HEAD, Field("name"), *_TAIL), schema_path="ServiceCluster"
)
# INVENTED(switch=none): the fields of a user, as far as a login and the roles need them
USER = EntityType(
    name="User",
    schema_path="User",
    methods=frozenset(("POST", "PUT", "DELETE")),
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        Field("userId", default=None, required=True),
        Field("userDirectory", default=None, required=True),
        Field("name"),
        Field("roles", "texts", condensed=False),
        Field("inactive", "flag", False, condensed=False),
        Field("removedExternally", "flag", False, condensed=False),
        Field("blacklisted", "flag", False, condensed=False),
        Field("deleteProhibited", "flag", False, condensed=False, writable=False),
        dataclasses.replace(_TAGS, condensed=False),
        *_TAIL,
    ),
)

# EVIDENCE(A; QRS API reference, post /selection): the fields of both
SELECTION_ITEM = EntityType(
    name="SelectionItem",
    # INVENTED(switch=none): schemaPath
    schema_path="Selection.Item",
    fields=(
        *_HEAD,
        Field("type", default=None, required=True),
        Field("objectID", default=None, required=True),
        Field("objectName", default="", writable=False),
        *_PART_TAIL,
    ),
)
SELECTION = EntityType(
    name="Selection",
    schema_path="Selection",
    fields=(*_HEAD, Field("items", "items", target="SelectionItem"), *_TAIL),
)

TYPES = {
    kind.name: kind
    for kind in (
        VIRTUAL_PROXY,
        PROXY_SERVICE,
        PROXY_SETTINGS,
        LOG_VERBOSITY,
        NODE,
        NODE_ROLE_ITEM,
        TAG,
        CUSTOM_PROPERTY,
        CUSTOM_PROPERTY_VALUE,
        SERVICE_CLUSTER,
        USER,
        SELECTION,
        SELECTION_ITEM,
        _attribute_map("jwt", "VirtualProxyConfigJwtAttributeMapItem"),
        _attribute_map("saml", "VirtualProxyConfigSamlAttributeMapItem"),
        _attribute_map("oidc", "VirtualProxyConfigOidcAttributeMapItem"),
    )
}
PUBLIC = {kind.path: kind for kind in TYPES.values() if kind.methods is not None}
"""The types that have a path of their own, by path."""


def enum_values(enum: Enum, release: Release) -> tuple[str, ...]:
    """The names that a release knows, in the order of their numbers."""
    # EVIDENCE(B; Qlik-Cli-Windows issue 193): OIDC is unknown to old versions
    if enum is AUTHENTICATION_METHOD and not release.includes(_BY_2021):
        return enum.values[:5]
    return enum.values
