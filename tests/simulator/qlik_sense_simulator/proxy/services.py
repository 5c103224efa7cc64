# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy serves to signed-in users below a prefix."""

from __future__ import annotations

import dataclasses
import secrets
import typing as t
import urllib.parse

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import hub_api, pages
from .answers import below
from .configuration import VirtualProxy
from .sessions import Session
from .signin import SignIn

if t.TYPE_CHECKING:
    from ..site import Node, Site


@dataclasses.dataclass(frozen=True, kw_only=True)
class Services:
    """The hub, the user's own session, and the way to the repository.

    Args:
        site: release and switches.
        node: whose proxy this is.
        repository: the QRS application.
        sign_in: the authentication, for sessions and display names.
    """

    site: Site
    node: Node
    repository: ASGIApp
    sign_in: SignIn

    def answer(
        self, request: Request, virtual_proxy: VirtualProxy, rest: list[str], session: Session, *, by_cookie: bool
    ) -> ASGIApp:
        """Return the response to an authenticated request."""
        path = "/".join(rest).lower()
        if rest and rest[0].lower() == "qrs":
            # INVENTED(switch=repository_requires_csrf): /qrs may be sent the csrf token, but does not need it
            if by_cookie and self.site.switches.repository_requires_csrf and not self._shows_token(request, session):
                return PlainTextResponse("Forbidden", 403)
            return self._to_repository(request, rest, session)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405)
        if path == "":
            # INVENTED(switch=none): the bare prefix leads to the hub as / does
            return RedirectResponse(below(virtual_proxy, "hub/"), 301)
        if self.redirects(request, path):
            return self.to_hub(request, virtual_proxy)
        if path == "hub" or path.startswith("hub/"):
            # EVIDENCE(A; Qlik support article ta-p/1716226): with a good token the hub opens
            return pages.hub(
                identity=session.identity,
                user_name=self.sign_in.user_name(session.identity),
                virtual_proxy=virtual_proxy,
                node=self.node.name,
                release=self.site.release.name,
                notice=self._notice(session),
            )
        if path == "qps/csrftoken" and self.site.release.has("csrf"):
            # EVIDENCE(A; gopherciser): /qps/csrftoken is 200 or 204 with the token in a header, and 404 where it does
            # not exist yet
            # INVENTED(switch=csrf_status): /qps/csrftoken is 204
            headers = {"qlik-csrf-token": session.csrf_token, "Cache-Control": "no-store"}
            return Response(status_code=int(self.site.switches.csrf_status), headers=headers)
        user = self.sign_in.user(session.identity) or {}
        return hub_api.answer(path, identity=session.identity, user=user, site=self.site) or pages.message(
            404, title="Not found"
        )

    def redirects(self, request: Request, path: str) -> bool:
        """Return True if a path below the prefix, in lower case, only redirects to the hub."""
        # INVENTED(switch=hub_redirect): /hub leads to /hub/
        return path == "hub" and self.site.switches.hub_redirect and not request.scope["path"].endswith("/")

    def to_hub(self, request: Request, virtual_proxy: VirtualProxy) -> Response:
        """Redirect from /hub to /hub/."""
        # INVENTED(switch=hub_redirect): /hub leads to /hub/ with 302
        query = request.scope["query_string"].decode("latin-1")
        return RedirectResponse(below(virtual_proxy, "hub/") + (f"?{query}" if query else ""), 302)

    def _notice(self, session: Session) -> str:
        """Return the text that the hub shows instead of apps."""
        if not self.site.switches.access_pass and self.site.switches.access_pass_notice == "hub":
            # INVENTED(switch=access_pass): without a license the hub reports it, with status 200; the sentence is the
            # client's own
            # INVENTED(switch=access_pass_notice): the hub reports a missing license, not only the websocket
            return pages.NO_ACCESS_PASS
        # INVENTED(switch=none): with too many sessions the hub shows the message of the websocket
        return pages.TOO_MANY_SESSIONS if self.sign_in.sessions.exceeds_limit(session) else ""

    def user(self, request: Request, virtual_proxy: VirtualProxy, session: Session | None) -> Response:
        """Return the user of the request, always with status 200."""
        # EVIDENCE(B; public captures of /qps/user): /qps/user has userDirectory, userId, userName and logoutUri, or
        # else loginUri
        base = f"{request.scope['scheme']}://{request.headers['host']}"
        if session is None:
            # INVENTED(switch=none): the loginUri is the hub itself, which reports what is missing
            content = {"loginUri": base + below(virtual_proxy, "hub/")}
        else:
            target = request.query_params.get("targetUri") or base + below(virtual_proxy, "hub/")
            query = urllib.parse.urlencode({"targetUri": target})
            content = {
                "userDirectory": session.identity.user_directory,
                "userId": session.identity.user_id,
                "userName": self.sign_in.user_name(session.identity),
                "logoutUri": f"{base}{below(virtual_proxy, 'qps/user')}?{query}",
            }
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    def log_out(self, request: Request, session: Session) -> Response:
        # INVENTED(switch=logout_requires_csrf): DELETE /qps/user may carry the csrf token, but does not have to
        if self.site.switches.logout_requires_csrf and not self._shows_token(request, session):
            return PlainTextResponse("Forbidden", 403)
        sessions = self.sign_in.sessions
        # EVIDENCE(B; qlik-sense-mcp): DELETE /qps/user ends all of the user's sessions on this virtual proxy, and on no
        # other
        theirs = sessions.of_virtual_proxy(session.virtual_proxy_id, identity=session.identity)
        sessions.close(theirs, reason="OnSessionLoggedOut")
        # INVENTED(switch=logout_status): DELETE /qps/user is 200
        return Response(status_code=int(self.site.switches.logout_status))

    def _shows_token(self, request: Request, session: Session) -> bool:
        """Return True if the header of a request has the session's CSRF token, or the release has no such tokens."""
        token = request.headers.get("qlik-csrf-token", "")
        return not self.site.release.has("csrf") or secrets.compare_digest(token.encode(), session.csrf_token.encode())

    def _to_repository(self, request: Request, rest: list[str], session: Session) -> ASGIApp:
        """Pass a request to the repository as the user of the session."""
        # EVIDENCE(A; Qlik help, connecting to the QRS through the proxy): the proxy uses its own certificate for the
        # repository and passes the user on; X-Qlik headers of the caller are ignored
        path = "/" + "/".join(["qrs", *rest[1:]])
        headers = [
            (name, value)
            for name, value in request.scope["headers"]
            if name == b"x-qlik-xrfkey" or not (name.startswith(b"x-qlik-") or name in (b"authorization", b"cookie"))
        ]
        scope = {
            **request.scope,
            "path": path,
            "raw_path": urllib.parse.quote(path).encode(),
            "root_path": "",
            "headers": headers,
            "state": {
                **request.scope.get("state", {}),
                "client_certificate": None,
                "identity": (session.identity.user_directory, session.identity.user_id),
                "via_proxy": True,
            },
        }

        async def forwarded(_scope: Scope, receive: Receive, send: Send) -> None:
            await self.repository(scope, receive, send)

        return forwarded
