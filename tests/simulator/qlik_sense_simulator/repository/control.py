# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator's own paths for tests, below /simulator on the repository's port."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..fault_injection import FaultPlan
from ..faults import Fault
from ..models import SiteError, convert
from ..request_log import RequestLog
from .bodies import parse
from .catalog import TYPES
from .refusals import RefusedError
from .store import Store


class Control:
    """The endpoints GET requests, GET database and PUT faults. They need no xrfkey."""

    def __init__(self, store: Store, log: RequestLog, faults: FaultPlan) -> None:
        self._store = store
        self._log = log
        self._faults = faults

    async def answer(self, request: Request) -> Response:
        """Return the response to a request below /simulator."""
        match request.method, request.scope["path"].lower().rstrip("/"):
            case "GET", "/simulator/requests":
                return JSONResponse({"requests": self._log.entries()})
            case "GET", "/simulator/database":
                return JSONResponse({name: self._store.all(name) for name in TYPES if self._store.rows(name)})
            case "PUT", "/simulator/faults":
                return self._set_faults(await request.body())
        return PlainTextResponse("Not Found", 404)

    def _set_faults(self, body: bytes) -> Response:
        """Replace the fault plan by a JSON list. If any entry is wrong, the plan does not change."""
        try:
            self._faults.replace(convert(parse(body), list[Fault]))
        except (SiteError, RefusedError) as error:
            return PlainTextResponse(str(error), 400)
        return Response(status_code=204)
