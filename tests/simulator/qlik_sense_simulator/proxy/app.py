# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy of one node: selects the virtual proxy, authenticates the request, and responds or calls the repository."""

from __future__ import annotations

import time
import typing as t
import urllib.parse

from starlette.datastructures import URL
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import addresses
from ..connections import disconnect
from . import hub_api, pages
from .answers import additional_headers, below, with_headers
from .configuration import Configuration, Loaded, VirtualProxy
from .cookies import set_cookie
from .forms import PATH as _FORMS
from .forms import FormLogin
from .services import Services
from .sessions import Clock, SessionTable, TicketTable
from .signin import TICKET, SignIn, Visit, is_encrypted, missing_credentials
from .websocket import Websockets
from .windows import PATH as _WINDOWS
from .windows import WindowsLogin, is_for_windows

if t.TYPE_CHECKING:
    from ..repository.store import Store
    from ..site import Node, Site


def proxy_app(
    *,
    site: Site,
    store: Store,
    node: Node,
    repository: ASGIApp,
    sessions: SessionTable,
    tickets: TicketTable,
    clock: Clock = time.monotonic,
) -> ASGIApp:
    """Return the ASGI application behind a node's proxy port.

    Args:
        site: nodes, release, users and switches.
        store: entities and links; the proxy reloads after a save.
        node: whose proxy this is.
        repository: the QRS application; gets requests below /qrs with the user in scope["state"]["identity"].
        sessions: this proxy's sessions, shared with its session API.
        tickets: this proxy's tickets, shared with its session API.
        clock: monotonic seconds; it times the reload.
    """
    sign_in = SignIn(
        switches=site.switches,
        sessions=sessions,
        tickets=tickets,
        store=store,
        http_suffix=site.release.has("http_cookie_suffix"),
    )
    return Proxy(
        site=site,
        node=node,
        configuration=Configuration(site=site, store=store, node=node, sessions=sessions, clock=clock),
        sign_in=sign_in,
        windows_login=WindowsLogin(users=site.users, tickets=tickets, switches=site.switches),
        form_login=FormLogin(users=site.users, tickets=tickets),
        services=Services(site=site, node=node, repository=repository, sign_in=sign_in),
        websockets=Websockets(site=site, node=node, sign_in=sign_in),
    )


class Proxy:
    """The application that `proxy_app` returns."""

    def __init__(
        self,
        *,
        site: Site,
        node: Node,
        configuration: Configuration,
        sign_in: SignIn,
        windows_login: WindowsLogin,
        form_login: FormLogin,
        services: Services,
        websockets: Websockets,
    ) -> None:
        self._site = site
        self._switches = site.switches
        self._node = node
        self._configuration = configuration
        self._sign_in = sign_in
        self._windows_login = windows_login
        self._form_login = form_login
        self._services = services
        self._websockets = websockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "websocket":
            await self._answer(HTTPConnection(scope))(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(Request(scope, receive))(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> ASGIApp:
        """Return the response to a request, before its virtual proxy is known."""
        loaded = self._configuration.current()
        if loaded is None:
            # INVENTED(switch=reload_answer): a proxy that reloads answers 503; reported are refused connections and
            # errors of all kinds
            if self._switches.reload_answer == "disconnect":
                return disconnect
            return pages.message(503, title="Service unavailable", text="The proxy is restarting.")
        try:
            _check_size(request.scope, loaded.settings)
            segments = addresses.segments(request.scope)
            host = addresses.host_name(request.headers.get("host", ""))
        except addresses.BadRequestError:
            return pages.bad_syntax()
        virtual_proxy, rest = loaded.route(segments)
        if virtual_proxy is None:
            return self._unknown_prefix(request, loaded)
        if not self._host_is_allowed(host, virtual_proxy):
            # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md; C; community reports): a host name that is not allowed is
            # refused, with 403 or with the page of unknown prefixes
            # INVENTED(switch=host_allow_list): which of the two it is
            status = int(self._switches.host_allow_list)
            answer: ASGIApp = pages.bad_request() if status == 400 else PlainTextResponse("Forbidden", status)
        elif isinstance(request, Request):
            answer = self._serve(request, virtual_proxy, rest)
        else:
            answer = self._websockets.answer(
                request, virtual_proxy, rest, lambda visit: self._refuse(request, virtual_proxy, visit)
            )
        # EVIDENCE(A; Qlik help "Virtual proxies"): additionalResponseHeaders are added to all answers below the prefix
        return with_headers(answer, additional_headers(virtual_proxy))

    def _unknown_prefix(self, request: HTTPConnection, loaded: Loaded) -> Response:
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): every prefix that is unknown or not linked gets the same styled
        # 400 page
        # INVENTED(switch=unknown_prefix): on some sites it may be 403, 404, or a redirect to the login
        match self._switches.unknown_prefix:
            case "403":
                return PlainTextResponse("Forbidden", 403)
            case "404":
                return pages.message(404, title="Not found")
            case "302" if loaded.default is not None:
                return self._to_login(request, loaded.default)
        return pages.bad_request()

    def _host_is_allowed(self, host: str, virtual_proxy: VirtualProxy) -> bool:
        return self._switches.host_allow_list == "off" or addresses.host_is_allowed(
            host,
            allow_list=virtual_proxy.get("websocketCrossOriginWhiteList") or (),
            own=addresses.own_names(self._node.host_name, self._switches),
            by_suffix=self._switches.host_allow_list_match == "suffix",
        )

    def _serve(self, request: Request, virtual_proxy: VirtualProxy, rest: list[str]) -> ASGIApp:
        """Return the response to a request below the prefix of a virtual proxy."""
        path = "/".join(rest).lower()
        reads = request.method in ("GET", "HEAD")
        if _is_preflight(request) and self._switches.preflight == "answered":
            # EVIDENCE(A; @qlik/api 2.19, windowscookie in browsers): pages of other origins send an Authorization
            # header, which browsers do only after a preflight that succeeds
            # INVENTED(switch=preflight): it is 200, and additionalResponseHeaders decide what the browser allows
            return PlainTextResponse("")
        if _wants_ticket(virtual_proxy) and path in (_FORMS, _WINDOWS):
            login = self._form_login if path == _FORMS else self._windows_login
            return login.answer(request, virtual_proxy)
        if path == "" and reads and not virtual_proxy.get("prefix"):
            # EVIDENCE(C; reports): / is 301 to the hub, also for those who are not signed in
            return RedirectResponse(below(virtual_proxy, "hub/"), 301)
        if path == "resources/autogenerated/product-info.json" and reads and self._switches.product_info_anonymous:
            return hub_api.product_info(self._site)
        if reads and not self._switches.hub_redirect_signs_in and self._services.redirects(request, path):
            # INVENTED(switch=hub_redirect_signs_in): the redirect to /hub/, too, is for those who are signed in
            return self._services.to_hub(request, virtual_proxy)
        visit = self._sign_in.visit(request, virtual_proxy)
        if path == "qps/user" and reads and (visit.session or not self._switches.user_endpoint_refuses):
            # INVENTED(switch=user_endpoint_refuses): /qps/user is 200 for all requests
            answer: ASGIApp = self._services.user(request, virtual_proxy, visit.session)
        elif visit.session is None:
            return self._refuse(request, virtual_proxy, visit, at_hub=path == "hub" or path.startswith("hub/"))
        elif path == "qps/user" and request.method == "DELETE":
            return self._services.log_out(request, visit.session)
        else:
            answer = self._services.answer(request, virtual_proxy, rest, visit.session, by_cookie=not visit.created)
        clean = _without_ticket(request.url)
        if visit.created and self._switches.ticket_redirect and clean != request.url:
            # INVENTED(switch=ticket_redirect): a ticket stays in the address of the answer
            answer = RedirectResponse(str(clean), 302)
        # EVIDENCE(B; captured exchange): the session cookie comes with the session
        # INVENTED(switch=repeat_set_cookie): the cookie comes only then
        cookie = None
        if visit.session is not None and (visit.created or (self._switches.repeat_set_cookie and visit.presented)):
            cookie = set_cookie(
                virtual_proxy,
                value=visit.session.session_id,
                https=is_encrypted(request),
                http_suffix=self._sign_in.http_suffix,
            )
        return with_headers(answer, [("set-cookie", cookie)] if cookie else [])

    def _refuse(
        self, request: HTTPConnection, virtual_proxy: VirtualProxy, visit: Visit, *, at_hub: bool = False
    ) -> Response:
        """Return the response to a request without a session."""
        if visit.blocked:
            # EVIDENCE(A; Qlik support article ta-p/1713765): an inactive user gets 403
            # INVENTED(switch=blocked_user_status): it might be 401
            return pages.refused(int(self._switches.blocked_user_status), pages.INACTIVE, switches=self._switches)
        if visit.over_limit:
            return pages.refused(403, pages.TOO_MANY_SESSIONS, switches=self._switches)
        # EVIDENCE(B; qlik-sense-mcp docs/AUTH_JWT.md): refused tokens get 401
        # INVENTED(switch=refused_token_status): it might be 403 or 302, which Qlik's own client takes for the same
        status = int(self._switches.refused_token_status) if visit.refusal else 401
        if not visit.refusal and not at_hub:
            # INVENTED(switch=signed_out_status): who is not signed in gets the same status everywhere below the prefix
            status = int(self._switches.signed_out_status)
        refusal = visit.refusal or missing_credentials(virtual_proxy)
        if refusal is None or status == 302:
            return self._to_login(request, virtual_proxy)
        return pages.refused(status, pages.REFUSED.format(reason=refusal.reason), switches=self._switches)

    def _to_login(self, request: HTTPConnection, virtual_proxy: VirtualProxy) -> Response:
        """Return a redirect to the login of a virtual proxy with ticket authentication."""
        target_id = self._sign_in.tickets.remember_target(str(_without_ticket(request.url)))
        module = virtual_proxy.get("authenticationModuleRedirectUri")
        if module:
            # EVIDENCE(B; butler-auth and other ticket modules): an authentication module gets targetId and proxyRestUri
            # in the query
            query = urllib.parse.urlencode({"targetId": target_id, "proxyRestUri": self._rest_uri(virtual_proxy)})
            return RedirectResponse(f"{module}{'&' if '?' in module else '?'}{query}", 302)
        # INVENTED(switch=none): the login page is on the very port of the request, and not on another
        windows = _wants_ticket(virtual_proxy) and is_for_windows(request, virtual_proxy)
        return RedirectResponse(f"{below(virtual_proxy, _WINDOWS if windows else _FORMS)}/?targetId={target_id}", 302)

    def _rest_uri(self, virtual_proxy: VirtualProxy) -> str:
        """Return the address at which an authentication module requests its ticket."""
        return f"https://{self._node.host_name}:{self._node.qps_port}/qps{below(virtual_proxy, '')}"


def _wants_ticket(virtual_proxy: VirtualProxy) -> bool:
    return (virtual_proxy.get("authenticationMethod") or TICKET) == TICKET


def _is_preflight(request: Request) -> bool:
    """Return True if a browser asks whether it may send a request."""
    return request.method == "OPTIONS" and {"origin", "access-control-request-method"} <= set(request.headers)


def _without_ticket(url: URL) -> URL:
    """Return a URL without its ticket."""
    pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    if all(name.lower() != "qlikticket" for name, _value in pairs):
        return url
    return url.replace(query=urllib.parse.urlencode([pair for pair in pairs if pair[0].lower() != "qlikticket"]))


def _check_size(scope: Scope, settings: t.Mapping[str, t.Any]) -> None:
    """Refuse more header lines or bytes than the proxy service allows."""
    # EVIDENCE(B; captured ProxyService): a proxy has maxHeaderSizeBytes 16384 and maxHeaderLines 100
    # INVENTED(switch=none): a head that is longer is 400
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if size > settings["maxHeaderSizeBytes"] or len(scope["headers"]) > settings["maxHeaderLines"]:
        raise addresses.BadRequestError("headers too large")
