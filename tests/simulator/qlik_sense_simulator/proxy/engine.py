# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine behind a websocket: JSON-RPC for the requests that clients send first. It has no apps. Pure, no I/O."""

from __future__ import annotations

import json
import typing as t

from .identity import Identity

if t.TYPE_CHECKING:
    from ..site import Site

_GLOBAL = -1
# EVIDENCE(A; JSON-RPC 2.0, section 5.1): parse error, invalid request and the like have the codes of the protocol
_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32700, -32600, -32601, -32602
# EVIDENCE(A; qlik-oss/enigma.js, schemas, error codes): an app that does not exist is error 1003
_APP_NOT_FOUND = 1003
_APP_METHODS = ("OpenDoc", "DeleteApp", "ExportApp", "GetAppEntry", "CopyApp")

Message = dict[str, t.Any]


class _RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        code: of the error.
        message: its text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Engine:
    """The engine session of one websocket.

    Args:
        site: its release determines the version.
        identity: the user.
    """

    def __init__(self, site: Site, identity: Identity) -> None:
        release = site.release
        user = f"UserDirectory={identity.user_directory}; UserId={identity.user_id}"
        # EVIDENCE(A; Qlik Engine API reference, class Global): methods of the class Global, such as EngineVersion and
        # GetDocList, and the names in their results
        # INVENTED(switch=none): the values in the results, which are those of an idle engine without apps
        self._answers: dict[str, Message] = {
            "AllowCreateApp": {"qReturn": False},
            "CancelReload": {},
            "CancelRequest": {},
            "EngineVersion": {"qVersion": {"qComponentVersion": f"12.{release.build_version}"}},
            "GetAuthenticatedUser": {"qReturn": user},
            "GetConfiguration": {"qConfig": {"qFeatures": {"qIsDesktop": False}}},
            "GetDocList": {"qDocList": []},
            "GetInteract": {"qReturn": False, "qDef": {}},
            "GetLogicalDriveStrings": {"qDrives": []},
            "GetProgress": {"qProgressData": {}},
            "GetStreamList": {"qStreamList": []},
            "IsDesktopMode": {"qReturn": False},
            "IsPersonalMode": {"qReturn": False},
            "OSName": {"qReturn": "Windows"},
            "OSVersion": {"qReturn": "Microsoft Windows Server 2022"},
            "ProductVersion": {"qReturn": release.build_version},
            "QTProduct": {"qReturn": "Qlik Sense Enterprise"},
            "QvVersion": {"qReturn": release.build_version},
        }
        self._told: dict[tuple[str, str], t.Any] = {}

    def answer(self, text: str) -> str:
        """Return the response to one message.

        Args:
            text: as received; every text has a response.
        """
        number: t.Any = None
        try:
            request = _request(text)
            number = request.get("id")
            content = self._result(request)
        except _RefusedError as error:
            # EVIDENCE(A; qlik-oss/enigma.js): errors have code, parameter and message
            content = {"error": {"code": error.code, "parameter": "", "message": str(error)}}
        return json.dumps({"jsonrpc": "2.0", "id": number, **content})

    def _result(self, request: Message) -> Message:
        method, handle = request.get("method"), request.get("handle", _GLOBAL)
        number = request.get("id")
        if not isinstance(method, str) or isinstance(number, bool) or not isinstance(number, (int, str)):
            # INVENTED(switch=none): a request without an id is an error, although JSON-RPC calls it a notification
            raise _RefusedError(_INVALID_REQUEST, "Invalid request")
        if not isinstance(request.get("params", []), (list, dict)):
            raise _RefusedError(_INVALID_PARAMS, "Invalid method parameter(s)")
        if handle != _GLOBAL or isinstance(handle, bool):
            # INVENTED(switch=none): handles other than -1 do not exist, as nothing was ever opened
            raise _RefusedError(_INVALID_PARAMS, "Invalid handle")
        if method in _APP_METHODS:
            raise _RefusedError(_APP_NOT_FOUND, "App not found")
        if method not in self._answers:
            raise _RefusedError(_METHOD_NOT_FOUND, "Method not found")
        result = self._answers[method]
        return (
            {"delta": True, "result": self._delta(method, result)}
            if request.get("delta") is True
            else {"result": result}
        )

    def _delta(self, method: str, result: Message) -> Message:
        """Return a result as changes to the previous result of the same method."""
        # EVIDENCE(A; qlik-oss/enigma.js, delta interceptor): with delta, each value of a result is a list of JSON
        # patches, an empty one if it is known already
        patches = {}
        for name, value in result.items():
            known = self._told.get((method, name)) == value and (method, name) in self._told
            patches[name] = [] if known else [{"op": "add", "path": "/", "value": value}]
            self._told[(method, name)] = value
        return patches


def _request(text: str) -> Message:
    """Parse a message, which must be a JSON object."""
    try:
        request = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _RefusedError(_PARSE_ERROR, "Parse error") from None
    if not isinstance(request, dict):
        # INVENTED(switch=none): a batch of requests is an invalid request
        raise _RefusedError(_INVALID_REQUEST, "Invalid request")
    return request


def _no_constant(name: str) -> t.NoReturn:
    """Refuse NaN and the infinities, which Python's parser accepts and JSON does not have."""
    raise ValueError(name)


def notification(method: str, **params: t.Any) -> str:
    """Return a message that the engine sends on its own."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params})
