// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// @qlik/api at the end of a pipe, configured as its documentation shows it for Node.js: with a JWT virtual proxy, or with
// exported certificates.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { load, serve } from "./pipe.mjs";

const { qix } = await load("@qlik/api");

// What each REST function of the package calls. It has none for the repository of Qlik Sense on Windows.
async function findInvokeFetch() {
  const chunks = path.join(path.dirname(createRequire(import.meta.url).resolve("@qlik/api")), "chunks");
  for (const name of fs.readdirSync(chunks).filter((one) => /^invoke-fetch-[^.]*\.js$/.test(one))) {
    const found = Object.values(await import(pathToFileURL(path.join(chunks, name))));
    const invokeFetch = found.find((one) => one.name === "invokeFetch");
    if (invokeFetch) return invokeFetch;
  }
}

const invokeFetch = await findInvokeFetch();

class Guest {
  constructor({ host, token, pfx, passphrase }) {
    this.hostConfig = pfx
      ? { authType: "pfx", host, pfx: fs.readFileSync(pfx), passphrase }
      : { authType: "windowscookie", host, getAccessToken: async () => token };
  }

  async rest(pathTemplate) {
    const options = { hostConfig: this.hostConfig };
    const { status, data } = await invokeFetch("test", { method: "get", pathTemplate, options });
    return { status, data };
  }

  // The events of the websocket, and how the client reports that the engine has no such app.
  async openApp(appId) {
    const session = qix.openAppSession({ hostConfig: this.hostConfig, appId });
    const events = [];
    session.onWebSocketEvent(({ eventType }) => events.push(eventType));
    try {
      await session.getDoc();
    } catch (error) {
      return { events, error: String(error.message ?? error) };
    } finally {
      await session.close();
    }
  }
}

serve((configuration) => new Guest(configuration), (guest, name, values) => guest[name](...values));
