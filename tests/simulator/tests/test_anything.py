# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated requests to all parts of a site: each gets a response below 500, and refused ones change nothing.

The examples are the same in each run.
"""

from __future__ import annotations

import base64
import datetime
import functools
import json
import typing as t

from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from repository_client import XRFKEY, Answer, Client
from two_nodes import Browser, TwoNodes

from qlik_sense_simulator.proxy.engine import Engine
from qlik_sense_simulator.proxy.identity import Identity
from qlik_sense_simulator.site import Site

KINDS = st.sampled_from(
    ["virtualproxyconfig", "proxyservice", "servernodeconfiguration", "tag", "custompropertydefinition", "user"]
)
# Seconds for one example, on any machine. A longer run is a hang.
SLOWEST = datetime.timedelta(seconds=30)
MISSING_ID = "00000000-0000-0000-0000-000000000001"


@functools.cache
def reading_client() -> Client:
    """Return a client of a site that is not changed."""
    client = Client()
    client.create_virtual_proxy("jwt", authenticationMethod=4, tags=client.get("tag"))
    return client


def everything(client: Client) -> dict[str, t.Any]:
    """Return the whole content of the repository."""
    return {kind: client.store.all(kind) for kind in ("VirtualProxyConfig", "ProxyService", "Tag", "User", "Selection")}


# --- Filters, and what else is in a query

NAMES = st.sampled_from(
    [
        *(
            "id",
            "ID",
            "prefix",
            "name",
            "description",
            "modifiedDate",
            "authenticationMethod",
            "isCentral",
            "privileges",
        ),
        *("tags", "tags.name", "settings.virtualProxies.prefix", "customProperties.definition.name", "@Owner", "@"),
        *("serverNodeConfiguration.roles.definition", "a.b.c.d.e.f.g.h.i.j", "loadBalancingServerNodes..name"),
    ]
)
OPERATORS = st.sampled_from(["eq", "EQ", "ne", "gt", "ge", "lt", "le", "sw", "ew", "so", "like", "not", "="])
LITERALS = st.one_of(
    st.text(max_size=6).map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    st.text(max_size=6).map("'{}'".format),
    st.text(max_size=6).map('"{}"'.format),
    st.integers().map(str),
    st.floats().map(str),
    st.uuids().map(str),
    st.uuids().map("'{}'".format),
    st.datetimes().map("'{}'".format),
    st.sampled_from(["true", "False", "JWT", "null", "empty", "''", "'", "()", "9" * 400]),
)
COMPARISONS = st.builds("{} {} {}".format, NAMES, OPERATORS, LITERALS)
EXPRESSIONS = st.recursive(
    COMPARISONS | st.text(max_size=10),
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("not {}".format),
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or", "AND", ","]), inner),
    ),
    max_leaves=8,
)
NESTED = st.builds(
    lambda depth, inner: "(" * depth + inner + ")" * depth, st.sampled_from([50, 500, 5000]), COMPARISONS
)


@settings(max_examples=examples(300), deadline=SLOWEST, derandomize=True)
@given(KINDS, EXPRESSIONS | NESTED, st.sampled_from(["", "/full", "/count"]))
def test_any_filter_gets_a_response(kind: str, expression: str, form: str) -> None:
    answer = reading_client().call("GET", kind + form, filter=expression)
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert isinstance(answer.json(), dict if form == "/count" else list)
    else:
        assert answer.text


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(KINDS, st.dictionaries(st.sampled_from(["orderby", "filter", "privileges", "x"]), NAMES | st.text(max_size=12)))
def test_any_query_gets_a_response(kind: str, query: dict[str, str]) -> None:
    assert reading_client().call("GET", kind, **query).status in (200, 400)


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=30), KINDS)
def test_any_raw_query_gets_a_response(tail: str, kind: str) -> None:
    query = f"xrfkey={XRFKEY}&{tail}"
    answer = reading_client().send("GET", f"/qrs/{kind}", query=query, headers={"X-Qlik-Xrfkey": XRFKEY})
    assert answer.status in (200, 400, 403), answer


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["virtualproxyconfig", "selection", MISSING_ID, "full", "synthetic", "count", "..", ""])
        | st.text(max_size=4),
        max_size=6,
    )
)
def test_any_path_gets_a_response(segments: list[str]) -> None:
    answer = reading_client().call("GET", "/".join(segments).replace("?", ""))
    assert answer.status in (200, 400, 404, 405), answer


# --- Bodies

MEMBERS = st.sampled_from(
    [
        *("id", "name", "prefix", "description", "sessionCookieHeaderName", "sessionInactivityTimeout", "modifiedDate"),
        *("tags", "customProperties", "value", "definition", "settings", "virtualProxies", "jwtAttributeMap"),
        *("items", "type", "objectID", "children", "properties", "valueIsModified", "latestModifiedDate", "added"),
        *("columns", "columnType", "choiceValues", "userId", "userDirectory", "nonsense", "NAME"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([MISSING_ID, "2026-01-01T00:00:00.000Z", "9999-12-31T23:59:59+99:99", "refList_Tag", "Tag"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=10,
)
REQUESTS = st.sampled_from(
    [
        *(("POST", path) for path in ("virtualproxyconfig", "tag", "user", "custompropertydefinition", "selection")),
        *(("POST", path) for path in ("virtualproxyconfig/many", "proxyservice/table", "tag/previewcreateprivilege")),
        *(("POST", path) for path in ("user/previewprivileges", "selection/proxyservice")),
        *(("PUT", path) for path in ("virtualproxyconfig/{id}", "proxyservice/{id}", "tag/{id}", "user/{id}")),
        *(("PUT", path) for path in ("servernodeconfiguration/{id}", "custompropertydefinition/{id}")),
    ]
)


def send(client: Client, method: str, path: str, body: bytes) -> Answer:
    kind, *_rest = path.split("/")
    path = path.replace("{id}", client.get(f"{kind}/full")[0]["id"] if "{id}" in path else "")
    headers = {"X-Qlik-Xrfkey": XRFKEY, "X-Qlik-User": "UserDirectory=INTERNAL;UserId=sa_api"}
    return client.send(method, f"/qrs/{path}", query=f"xrfkey={XRFKEY}", body=body, headers=headers)


@settings(max_examples=examples(300), deadline=SLOWEST, derandomize=True)
@given(REQUESTS, VALUES)
def test_any_json_body_gets_a_response(request: tuple[str, str], value: t.Any) -> None:
    client = Client()
    before = everything(client)
    answer = send(client, *request, json.dumps(value).encode())
    assert answer.status in (200, 201, 400, 409), answer
    if answer.status >= 400:
        assert everything(client) == before


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(st.dictionaries(MEMBERS, VALUES, max_size=5), st.sampled_from(["virtualproxyconfig", "proxyservice", "tag"]))
def test_any_synthetic_body_gets_a_response(body: dict[str, t.Any], kind: str) -> None:
    client = Client()
    selection = client.call("POST", f"selection/{kind}").json()
    properties = body.get("properties")
    if isinstance(properties, list):
        body = {
            **body,
            "latestModifiedDate": "2100-01-01",
            "properties": [{"name": "refList_Tag", "valueIsModified": True, "value": one} for one in properties],
        }
    before = everything(client)
    answer = client.call("PUT", f"selection/{selection['id']}/{kind}/synthetic", body)
    assert answer.status in (204, 400, 409), answer
    if answer.status >= 400:
        assert everything(client) == before


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(REQUESTS, st.binary(max_size=30) | VALUES.map(lambda value: json.dumps(value).encode()[:-1]))
def test_any_other_body_gets_a_response(request: tuple[str, str], body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        # A selection by type is created without reading the body.
        expected = 201 if request[1] == "selection/proxyservice" else 400
        assert send(Client(), *request, body).status == expected


# --- The proxy, its own API, and the engine behind it


@functools.cache
def two_nodes() -> TwoNodes:
    site = TwoNodes()
    site.add(prefix="jwt", cookie="X-Qlik-Session-jwt")
    return site


def api(method: str, path: str, body: bytes) -> int:
    """Return the status of a request to the proxy's own API."""
    browser: Browser = two_nodes().browser("qps:Central")
    return browser.send(method, f"/qps/{path}?xrfkey={XRFKEY}", headers={"X-Qlik-Xrfkey": XRFKEY}, body=body).status


USERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from(["LAB", "ada", " ", "a\\b"]) | VALUES
        for name in ("UserDirectory", "userid", "Attributes", "TargetId", "SessionId")
    },
)


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(st.sampled_from(["ticket", "jwt/ticket", "session"]), USERS | VALUES)
def test_any_user_of_qps_gets_a_response(path: str, value: t.Any) -> None:
    assert api("POST", path, json.dumps(value).encode()) in (201, 400, 403)


@settings(max_examples=examples(100), deadline=SLOWEST, derandomize=True)
@given(st.sampled_from(["ticket", "jwt/session", "session/x", "user/LAB/ada", "user"]), st.binary(max_size=30))
def test_any_body_of_qps_gets_a_response(path: str, body: bytes) -> None:
    assert api("POST", path, body) in (400, 404)


SEGMENTS = st.binary(max_size=12).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")) | VALUES.map(
    lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
)
TOKENS = st.text(alphabet=st.characters(max_codepoint=255), max_size=30) | st.lists(SEGMENTS, max_size=5).map(".".join)


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given(st.sampled_from(["Bearer ", "bearer ", "Basic ", ""]), TOKENS)
def test_any_token_gets_a_response(scheme: str, token: str) -> None:
    answer = two_nodes().browser().send("GET", "/jwt/hub/", headers={"Authorization": scheme + token})
    assert answer.status == 401


MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | VALUES,
        "id": st.integers() | VALUES,
        "handle": st.just(-1) | VALUES,
        "method": st.sampled_from(["EngineVersion", "GetDocList", "OpenDoc", "GetActiveDoc", "x"]) | VALUES,
        "params": st.just([]) | VALUES,
        "delta": st.booleans() | VALUES,
    },
)


@settings(max_examples=examples(200), deadline=SLOWEST, derandomize=True)
@given((MESSAGES | VALUES).map(json.dumps) | st.text(max_size=20))
def test_any_engine_message_gets_a_response(text: str) -> None:
    answer = json.loads(Engine(Site(), Identity(user_directory="LAB", user_id="ada")).answer(text))
    assert ("result" in answer) != ("error" in answer)
