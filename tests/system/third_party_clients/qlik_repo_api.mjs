// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// qlik-repo-api at the end of a pipe. A call is "collection.method", or "collection/id.method" for one of its members.

import { connection, load, serve } from "./pipe.mjs";

const { QlikRepoApi } = await load("qlik-repo-api");

function plain(value) {
  return Array.isArray(value) ? value.map(plain) : (value?.details ?? value);
}

serve(
  (configuration) => new QlikRepoApi.client(connection(configuration)),
  async (client, name, values) => {
    const [place, method] = name.split(".");
    const [collection, id] = place.split("/");
    const target = id ? await client[collection].get({ id }) : client[collection];
    return plain(await target[method](...values));
  },
);
