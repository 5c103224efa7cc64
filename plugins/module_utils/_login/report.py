# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change at any time.

"""Texts and results of login checks. Pure, no I/O."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._errors import QlikError
from .._keys import certificate as _certificate
from .._text import sentences
from . import diagnosis as _diagnosis

if t.TYPE_CHECKING:
    from .runner import LoginRun

Result = dict[str, t.Any]

_SHOWN = ("subject", "issuer", "not_after", "days_left", "fingerprint_sha256")


@functools.cache
def shown_certificate(pem: str | None) -> Result | None:
    """Return the properties of a certificate for results, None if there is none or it cannot be read."""
    try:
        content = t.cast("Result", _certificate.inspect(pem or ""))
    except QlikError:
        return None
    return {name: content[name] for name in _SHOWN}


def to_result(run: LoginRun, certificates: t.Mapping[str, str]) -> Result:
    """Return the results of one login as the module returns them.

    Args:
        run: the login.
        certificates: the PEM text that the site has for each virtual proxy, by prefix in lower case.
    """
    login = run.login
    return {
        "proxy": login.proxy,
        "prefix": login.prefix,
        "linked": login.linked,
        "user": _diagnosis.shown(login.user),
        "passed": run.passed,
        "seconds_waited": round(run.seconds_waited, 1),
        "response_ms": run.response_ms,
        "tls_certificate": shown_certificate(run.tls_certificate),
        "jwt_certificate": shown_certificate(login.virtual_proxy.fields.get("jwt_public_key_certificate")),
        "site_certificate": shown_certificate(certificates.get(login.prefix.lower())),
        "checks": [dataclasses.asdict(result) for result in run.results],
    }


def line(result: Result) -> str:
    """Return one line with the checks of a login and their results."""
    parts = []
    for status in ("failed", "passed", "skipped"):
        names: dict[str, list[str]] = {}  # by the reason of skipped checks
        for check in result["checks"]:
            if check["status"] == status:
                names.setdefault(f": {check['actual']}" if status == "skipped" else "", []).append(check["name"])
        if names:
            number = sum(map(len, names.values()))
            parts.append(f"{number} {status} ({'; '.join(', '.join(some) + reason for reason, some in names.items())})")
    return f"{result['prefix']} on {result['proxy']} as {result['user']}: {', '.join(parts)}"


def summary(results: t.Sequence[Result]) -> str:
    """Return the outcome in one sentence."""
    statuses = [check["status"] for result in results for check in result["checks"]]
    counts = ", ".join(f"{statuses.count(word)} {word}" for word in ("failed", "passed", "skipped") if word in statuses)
    proxies = len({result["proxy"] for result in results})
    place = f"{proxies} {'proxy' if proxies == 1 else 'proxies'}, {len(statuses)} checks: {counts}"
    working, total = sum(result["passed"] for result in results), len(results)
    if working < total:
        if total == 1:
            return f"The login does not work as expected ({place})."
        return f"{working or 'None'} of {total} logins work{'s' if working == 1 else ''} as expected ({place})."
    linked = sum(result["linked"] for result in results)
    parts = [f"All {linked} logins work" if linked > 1 else "The login works"] if linked else []
    if linked < total:
        parts.append(f"{total - linked} {'is' if total - linked == 1 else 'are'} refused on proxies without a link")
    return f"{', and '.join(parts)} ({place})."


def failure(results: t.Sequence[Result]) -> str:
    """Return the first check that failed with its diagnosis, and the number of further failures."""
    failed = [(result, check) for result in results for check in result["checks"] if check["status"] == "failed"]
    result, check = failed[0]
    place = f"{result['proxy']}/{result['prefix']} as {result['user']}"
    more = f"{len(failed) - 1} more failed." if len(failed) > 1 else ""
    return sentences(f"The check {check['name']} failed on {place}: {check['actual']}", check["diagnosis"], more)


def warnings(results: t.Sequence[Result]) -> list[str]:
    """Return warnings about certificates that expire soon or differ, and about tokens sent without encryption."""
    found: dict[str, str] = {}
    for result in results:
        if result["proxy"].startswith("http:"):
            found[result["proxy"]] = f"The tokens were sent to {result['proxy']} without encryption."
        for certificate, name in (
            (result["tls_certificate"], f"The TLS certificate of {result['proxy']}"),
            (
                result["site_certificate"] or result["jwt_certificate"],
                f"The JWT certificate of the virtual proxy {result['prefix']}",
            ),
        ):
            if warning := certificate and _certificate.expiry_warning(name, certificate):
                found[name] = warning
        declared, actual = result["jwt_certificate"], result["site_certificate"]
        if declared and actual and declared["fingerprint_sha256"] != actual["fingerprint_sha256"]:
            found[f"{result['prefix']} differs"] = (
                f"The virtual proxy {result['prefix']} has another certificate on the site than given "
                f"({actual['subject']}, expires {actual['not_after']}). Tokens are verified with that of the site."
            )
    return list(found.values())
