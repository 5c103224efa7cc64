// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// qlik-rest-api at the end of a pipe, as a client of the repository or, for its own API, of the proxy.

import { connection, load, serve } from "./pipe.mjs";

const { QlikProxyClient, QlikRepositoryClient } = await load("qlik-rest-api");

serve(
  ({ service, ...configuration }) =>
    new (service === "proxy" ? QlikProxyClient : QlikRepositoryClient)(connection(configuration)),
  async (client, name, values) => {
    const { status, data } = await client[name](...values);
    return { status, body: data };
  },
);
