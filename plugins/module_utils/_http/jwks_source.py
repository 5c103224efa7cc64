# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Where a provider's keys come from: its address, and a copy of the answer for as long as the provider allows."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
import time
import typing as t
import urllib.parse
from pathlib import Path

from .._errors import AnswerError, InputError, TransportError
from .._files import SIZE_LIMIT, PrivateFiles
from .._keys import jwks as _jwks
from .._keys.pem import verification
from .client import HttpClient, Request

with contextlib.suppress(ImportError):  # reported by require_requests
    import requests

_LONGEST = 10**9 - 1  # seconds that a copy can be fresh


class Document(t.NamedTuple):
    """A key set as text, and where it is from.

    Attributes:
        text: JSON, or what came in its place.
        source: "provider"; "unchanged" if the provider said that the copy still holds; "cache" if it was not asked.
        fresh_until: seconds since 1970 until which the provider need not be asked again.
    """

    text: str
    source: str
    fresh_until: float


@dataclasses.dataclass(frozen=True)
class _Copy:
    """What is kept in the cache file. Times in seconds since 1970."""

    url: str
    text: str
    etag: str | None
    fetched_at: float
    fresh_until: float

    def is_fresh(self, now: float) -> bool:
        # A copy from the future says that the clock was set back.
        return self.fetched_at <= now < self.fresh_until


def fetch(options: t.Mapping[str, t.Any], *, may_write: bool, now: float | None = None) -> Document:
    """Get the key set from its provider, or from the copy that an earlier call kept.

    Args:
        options: those of the module jwks_info.
        may_write: whether the copy may be written.
        now: seconds since 1970, by default this machine's clock.

    Raises:
        InputError: an option cannot be right, or the answer is no key set.
        TransportError: no usable answer.
        AnswerError: an answer that is not the document.
    """
    now = time.time() if now is None else now
    url = _checked(options["url"])
    cache_path = options["cache_path"]
    copy = _load(cache_path, url) if cache_path else None
    if copy is not None and copy.is_fresh(now):
        return Document(copy.text, "cache", copy.fresh_until)
    answer = _get(options, url, copy.etag if copy else None)
    lifetime, storable = _freshness(answer.headers)
    if answer.status == 304 and copy is not None:
        text, source = copy.text, "unchanged"
    else:
        text, source = answer.body.decode("utf-8", "replace"), "provider"
    fresh_until = now + lifetime
    if cache_path and may_write:
        # What must not be kept: an answer that is no key set, or one with a private key.
        storable = storable and not _jwks.holds_private_key(_jwks.parse(text))
        etag = answer.headers.get("ETag") or (copy.etag if copy and source == "unchanged" else None)
        _keep(cache_path, _Copy(url, text, etag, now, fresh_until) if storable else None)
    return Document(text, source, fresh_until)


def _checked(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url.strip())
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "Tried to find the provider.",
            "The value of url is not an https address, or it holds a password.",
            "Give the address that the provider's configuration (/.well-known/openid-configuration) has as jwks_uri."
            " Over plain http anybody on the way could put in a key of their own.",
        )
    return url.strip()


class _Answer(t.NamedTuple):
    status: int
    headers: t.Mapping[str, str]
    body: bytes


def _get(options: t.Mapping[str, t.Any], url: str, etag: str | None) -> _Answer:
    """Ask the provider. The answer is 200 with at most SIZE_LIMIT bytes, or 304 if an etag was given."""
    tried = f"Tried to get the provider's keys (GET {_shown(url)})."
    headers = {"Accept": "application/jwk-set+json, application/json"}
    if etag:
        headers["If-None-Match"] = etag
    with contextlib.closing(PrivateFiles()) as files:
        client = HttpClient(
            verify=verification(options, "ca_path", files),
            ca_option="ca_path",
            timeout=(options["connect_timeout"], options["read_timeout"]),
            retries=options["retries"],
            size_limit=SIZE_LIMIT,
            http_proxy=options["http_proxy"],
        )
        with contextlib.closing(client):
            try:
                response = client.send(Request("GET", url, tried, headers=headers))
            except TransportError as error:
                error.advice = "Check url and ca_path, and http_proxy if the provider is reached through one only."
                raise
    if response.status == 304 and etag:
        return _Answer(304, response.headers, b"")
    if response.status == 200 and not response.truncated:
        return _Answer(200, response.headers, response.body)
    outcome = f"The answer was {response.status} {response.sanitize(response.reason)}".rstrip() + "."
    advice = "Check url; it is the jwks_uri in the provider's /.well-known/openid-configuration."
    if response.truncated:
        outcome = f"The answer is larger than {SIZE_LIMIT} bytes."
    elif 300 <= response.status < 400:
        advice = "Redirects are not followed: give the address that it leads to."
    raise AnswerError(tried, outcome, advice, status=response.status)


def _shown(url: str) -> str:
    """Without the query, where people put what they call an API key."""
    return url.partition("?")[0]


def _freshness(headers: t.Mapping[str, str]) -> tuple[float, bool]:
    """For how many seconds an answer may be used unasked, and whether it may be kept at all (RFC 9111, 4.2 and 5.2)."""
    directives = requests.utils.parse_dict_header(headers.get("Cache-Control", "").lower())
    if "no-cache" in directives:
        return 0.0, "no-store" not in directives
    age, lifetime = (_whole(value) for value in (headers.get("Age"), directives.get("max-age")))
    return float(max(0, lifetime - age)), "no-store" not in directives


def _whole(value: str | None) -> int:
    text = (value or "").strip()
    return min(int(text[:10]), _LONGEST) if text.isascii() and text.isdigit() else 0


def _load(path: str, url: str) -> _Copy | None:
    """The copy of this address; anything else in the file is as good as nothing."""
    try:
        copy = _Copy(**json.loads(Path(path).read_text(encoding="utf-8")))
        usable = isinstance(copy.text, str) and isinstance(copy.etag, str | None)
        usable = usable and 0 <= copy.fetched_at <= copy.fresh_until <= copy.fetched_at + _LONGEST
        if not usable or copy.url != url:
            return None
        _jwks.parse(copy.text)
        return copy
    except (OSError, ValueError, TypeError, RecursionError, InputError):
        return None


def _keep(path: str, copy: _Copy | None) -> None:
    """Replace the file in one step, readable for its owner only; None removes it.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(path)
    try:
        if copy is None:
            target.unlink(missing_ok=True)
            return
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(copy), file)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise InputError(
            "Tried to keep a copy of the provider's keys.",
            f"{path} cannot be written: {exc.strerror}.",
            "Give as cache_path a file in a directory that this user, and nobody else, may write to.",
        ) from None
