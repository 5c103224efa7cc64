# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases of Qlik Sense that a site can have, and the features of each release."""

from __future__ import annotations

import dataclasses

# Month (ISO, "YYYY-MM") from which a feature exists.
_FEATURES = {
    # EVIDENCE(A; Qlik help "Editing a virtual proxy"): the suffix `-HTTP` of cookies over plain http exists since
    # February 2019
    "http_cookie_suffix": "2019-02",
    # EVIDENCE(A; Qlik support article ta-p/2509211): a csrf token protects websockets since November 2024
    "csrf": "2024-11",
    # EVIDENCE(A; qlik.dev, qlik-embed for client-managed): qlik-embed works since May 2024
    "qlik_embed": "2024-05",
    # EVIDENCE(B; qlik-utils, generated from about/api/description in 2016): old releases have no OpenAPI document
    # INVENTED(switch=none): releases have the OpenAPI document since May 2021
    "openapi": "2021-05",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """A release of Qlik Sense Enterprise on Windows.

    Args:
        name: as in the site file, for example "may-2025".
        date: the month of the release, ISO "YYYY-MM"; releases are ordered by it.
        build_version: as in GET /qrs/about.
        build_date: likewise, in the format of the repository.
    """

    name: str
    date: str
    build_version: str
    build_date: str

    def has(self, feature: str) -> bool:
        """Return True if this release has a named feature.

        Raises:
            KeyError: the feature is unknown.
        """
        return self.includes(_FEATURES[feature])

    def includes(self, since: str, until: str | None = None) -> bool:
        """Return True if a feature that exists from one month, and before another, is part of this release."""
        return since <= self.date and (until is None or self.date < until)


# EVIDENCE(B; Qlik-Cli-Windows issue 163, qs-jwt documentation): build 26.31.3.0 is of October 2020, 30.4.0.0 of 2021
# INVENTED(switch=none): every other build number and date, chosen between and around those two
RELEASES = {
    release.name: release
    for release in (
        Release(name="september-2017", date="2017-09", build_version="11.14.3.0", build_date="9/12/2017 1:10:33 PM"),
        Release(name="november-2017", date="2017-11", build_version="11.24.3.0", build_date="11/9/2017 3:21:07 PM"),
        Release(name="may-2021", date="2021-05", build_version="29.9.1.0", build_date="5/11/2021 9:12:44 AM"),
        Release(name="may-2024", date="2024-05", build_version="31.50.1.0", build_date="5/14/2024 10:02:31 AM"),
        Release(name="november-2024", date="2024-11", build_version="31.56.1.0", build_date="11/12/2024 8:47:19 AM"),
        Release(name="may-2025", date="2025-05", build_version="31.59.1.0", build_date="5/13/2025 11:34:56 AM"),
        Release(name="november-2025", date="2025-11", build_version="31.62.1.0", build_date="11/11/2025 9:05:12 AM"),
        # EVIDENCE(A; Qlik developer help, November 2026, "Virtual proxy: Create"): the virtual proxy is that of
        # November 2025 in these two
        Release(name="may-2026", date="2026-05", build_version="31.65.1.0", build_date="5/12/2026 10:21:43 AM"),
        Release(name="november-2026", date="2026-11", build_version="31.68.1.0", build_date="11/10/2026 9:34:08 AM"),
    )
}
DEFAULT_RELEASE = "may-2025"
