# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All simulated entities of the repository: fields, defaults, and the release that introduced each field.

Unless a field says otherwise, its evidence is that of `TYPES`.
"""

from __future__ import annotations

import dataclasses

from . import content
from .enums import (
    ANONYMOUS_ACCESS_MODE,
    AUDIT_LOG_VERBOSITY,
    AUTHENTICATION_METHOD,
    HEADER_AUTHENTICATION_MODE,
    LOAD_BALANCING_ALGORITHM,
    NODE_PURPOSE,
    NODE_ROLE,
    SAME_SITE,
    SERVICE_LOG_VERBOSITY,
    SIGNING_ALGORITHM,
)
from .schema import BY_2021, BY_2022, BY_2024, BY_2025, EntityType, Field

_DATES = (
    Field("createdDate", "date", condensed=False, writable=False),
    Field("modifiedDate", "date", condensed=False, writable=False),
    Field("modifiedByUserName", condensed=False, writable=False),
)
_HEAD = (Field("id", "guid", writable=False), *_DATES)
# EVIDENCE(B; captured entities of 2017, API reference 38.35.0): impactSecurityAccess existed in 2017 and does not today
# INVENTED(switch=none): impactSecurityAccess went before 2020
_TAIL = (
    Field("privileges", "fixed", None, writable=False),
    Field("impactSecurityAccess", "fixed", False, condensed=False, writable=False, until="2020-01"),
    Field("schemaPath", "fixed", condensed=False, writable=False),
)
_PART_TAIL = _TAIL[1:]
_TAGS = Field("tags", "references", target="Tag")
_CUSTOM_PROPERTIES = Field("customProperties", "items", target="CustomPropertyValue", condensed=False)


def _attribute_map(prefix: str, name: str) -> EntityType:
    """Return the type of a row that maps an attribute of a token or assertion to a session attribute."""
    # EVIDENCE(A; QRS API reference, VirtualProxyConfigJwtAttributeMapItem): an item of jwtAttributeMap needs
    # jwtAttribute, senseAttribute and isMandatory
    # INVENTED(switch=none): the schemaPath of such an item; items of the SAML and OIDC maps look like those of the JWT
    # map
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
        # INVENTED(switch=none): useStickyLoadBalancing is false by default
        Field("useStickyLoadBalancing", "flag", False, since=BY_2021),
        Field("loadBalancingServerNodes", "references", target="ServerNodeConfiguration"),
        Field("loadBalancingAlgorithm", "enum", 0, LOAD_BALANCING_ALGORITHM, since=BY_2024),
        Field("enableEngineSaturationCheck", "flag", False, since=BY_2024),
        Field("enableEngineHealthCheckData", "flag", False, since=BY_2024),
        Field("authenticationMethod", "enum", 0, AUTHENTICATION_METHOD),
        # EVIDENCE(B; QRSMeteor, create body and captured answer): headerAuthenticationMode is derived from
        # authenticationMethod
        Field("headerAuthenticationMode", "enum", 0, HEADER_AUTHENTICATION_MODE, writable=False),
        Field("headerAuthenticationHeaderName"),
        Field("headerAuthenticationStaticUserDirectory"),
        Field("headerAuthenticationDynamicUserDirectory"),
        Field("anonymousAccessMode", "enum", 0, ANONYMOUS_ACCESS_MODE),
        Field("windowsAuthenticationEnabledDevicePattern", default="Windows"),
        # EVIDENCE(A; QRS API reference, VirtualProxyConfig): sessionCookieHeaderName is the one field that must not be
        # missing
        Field("sessionCookieHeaderName", default=None, required=True),
        Field("sessionCookieDomain"),
        Field("sessionCookieCustomPath", default=None, late=True, since=BY_2025),
        # INVENTED(switch=none): the session cookie is Secure over https, not over http, and has no SameSite by default
        Field("hasSecureAttributeHttps", "flag", True, since=BY_2021),
        Field("sameSiteAttributeHttps", "enum", 0, SAME_SITE, since=BY_2021),
        Field("hasSecureAttributeHttp", "flag", False, since=BY_2021),
        Field("sameSiteAttributeHttp", "enum", 0, SAME_SITE, since=BY_2021),
        Field("additionalResponseHeaders"),
        # EVIDENCE(A; Qlik help "Creating a virtual proxy"): sessionInactivityTimeout is in minutes, 30 by default
        # INVENTED(switch=none): sessionInactivityTimeout is at least 1
        Field("sessionInactivityTimeout", "number", 30, low=1),
        Field("extendedSecurityEnvironment", "flag", False),
        Field("websocketCrossOriginWhiteList", "texts"),
        # INVENTED(switch=none): another virtual proxy cannot become the default one
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
        Field("jwtAudience", default=None, late=True, since=BY_2021),
        Field("jwtPublicKeyCertificate"),
        Field("jwtAttributeMap", "items", target="VirtualProxyConfigJwtAttributeMapItem"),
        Field("magicLinkHostUri"),
        Field("magicLinkFriendlyName"),
        # EVIDENCE(B; captures of September and November 2017): samlSlo came in between, and was then the last of the
        # fields
        Field("samlSlo", "flag", False, since="2017-11"),
        *(
            Field(name, default=None, late=True, since=BY_2021)
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
        Field("oidcAttributeMap", "items", target="VirtualProxyConfigOidcAttributeMapItem", since=BY_2021),
        Field("disableOidcOptionalAttributesParsing", "flag", False, since=BY_2022),
        *_TAIL,
    ),
)

_AUDITS = ("AuditActivity", "AuditSecurity")
_VERBOSITIES = (*_AUDITS, "Service", "Audit", "Performance", "Security", "System")
LOG_VERBOSITY = EntityType(
    name="ProxyServiceSettingsLogVerbosity",
    schema_path="ProxyService.Settings.LogVerbosity",
    fields=(
        *_HEAD,
        *(
            Field(f"logVerbosity{name}", "enum", 4, AUDIT_LOG_VERBOSITY if name in _AUDITS else SERVICE_LOG_VERBOSITY)
            for name in _VERBOSITIES
        ),
        *_PART_TAIL,
    ),
)
# EVIDENCE(B; Qlik-Cli-Windows): a proxy service's ports are 1 to 65535, its keep-alive 1 to 300 seconds, its header 512
# to 131072 bytes and 20 to 1000 lines
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
    # EVIDENCE(B; qlik-utils, generated from about/api/description): a proxy service has no POST and no DELETE
    methods=frozenset(("PUT",)),
    local=True,
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        # EVIDENCE(B; qlik-repo-api typings, QRSMeteor): the condensed form of a proxy service is little more than its
        # id
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
        # EVIDENCE(B; typings and scripts that filter condensed lists by them): isCentral and its like are only in the
        # full form of a node, and filters on the condensed list know them
        Field("isCentral", "flag", False, condensed=False, writable=False),
        Field("nodePurpose", "enum", 0, NODE_PURPOSE, condensed=False),
        Field("engineEnabled", "flag", True, condensed=False),
        Field("proxyEnabled", "flag", True, condensed=False),
        Field("printingEnabled", "flag", True, condensed=False),
        Field("schedulerEnabled", "flag", True, condensed=False),
        Field("schedulerReloadEnabled", "flag", True, condensed=False, since=BY_2024),
        Field("schedulerPreloadEnabled", "flag", True, condensed=False, since=BY_2024),
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
# EVIDENCE(B; qlik-repo-api typings; butler and ctrl-q, captured entities of 2021): a user has also attributes and
# userDirectoryConnectorName; its favorites are apps
# INVENTED(switch=none): the user directory has no connector in a simulated site, which has no attributes of users
USER_ATTRIBUTE = EntityType(
    name="UserAttribute",
    schema_path="User.Attribute",
    fields=(
        *_HEAD,
        Field("attributeType"),
        Field("attributeValue"),
        Field("externalId"),
        *_PART_TAIL,
    ),
)
USER = EntityType(
    name="User",
    schema_path="User",
    methods=frozenset(("POST", "PUT", "DELETE")),
    fields=(
        *_HEAD,
        _CUSTOM_PROPERTIES,
        Field("userId", default=None, required=True),
        Field("userDirectory", default=None, required=True),
        Field("userDirectoryConnectorName", writable=False, since=BY_2021),
        Field("name"),
        Field("roles", "texts", condensed=False),
        Field("attributes", "items", target="UserAttribute", condensed=False, writable=False),
        Field("favorites", "references", target="App", condensed=False, since=BY_2021),
        Field("inactive", "flag", False, condensed=False),
        Field("removedExternally", "flag", False, condensed=False),
        Field("blacklisted", "flag", False, condensed=False),
        Field("deleteProhibited", "flag", False, condensed=False, writable=False),
        dataclasses.replace(_TAGS, condensed=False),
        *_TAIL,
    ),
)

# EVIDENCE(A; QRS API reference, post /selection): a selection has items with type, objectID and objectName
SELECTION_ITEM = EntityType(
    name="SelectionItem",
    # INVENTED(switch=none): the schemaPath of such an item
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

# EVIDENCE(A; QRS API reference, pages of these entities): the names and types of all fields
# EVIDENCE(B; QRSMeteor, captured entities of 2017): the order of the fields, and their values in a new site
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
        USER_ATTRIBUTE,
        SELECTION,
        SELECTION_ITEM,
        *content.types(_HEAD, _TAIL, _TAGS, _CUSTOM_PROPERTIES),
        _attribute_map("jwt", "VirtualProxyConfigJwtAttributeMapItem"),
        _attribute_map("saml", "VirtualProxyConfigSamlAttributeMapItem"),
        _attribute_map("oidc", "VirtualProxyConfigOidcAttributeMapItem"),
    )
}
PUBLIC = {kind.path: kind for kind in TYPES.values() if kind.methods is not None}
"""The types that have a path of their own, by path."""
