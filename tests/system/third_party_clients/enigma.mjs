// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// enigma.js at the end of a pipe, with ws for the websocket. "global.<method>" calls a method of the engine.

import { createRequire } from "node:module";

import { serve } from "./pipe.mjs";

const require = createRequire(import.meta.url);
const enigma = require("enigma.js");
const schema = require("enigma.js/schemas/12.2027.0.json");
const SenseUtilities = require("enigma.js/sense-utilities.js");
const WebSocket = require("ws");

// Notifications that the proxy and the engine send of themselves.
const NOTIFICATIONS = [
  "OnAuthenticationInformation",
  "OnConnected",
  "OnLicenseAccessDenied",
  "OnMaxParallelSessionsExceeded",
  "OnSessionLoggedOut",
];

class ProxySession {
  // What a program does that has no browser: one request with the token, for a session cookie and the csrf token.
  async signIn(url, token) {
    const response = await fetch(`${url}/qps/csrftoken`, { headers: { Authorization: `Bearer ${token}` } });
    return {
      status: response.status,
      cookie: response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; "),
      csrfToken: response.headers.get("qlik-csrf-token"),
    };
  }

  async signOut(url, cookie) {
    return (await fetch(`${url}/qps/user`, { method: "DELETE", headers: { Cookie: cookie } })).status;
  }

  async open(address, headers, protocol) {
    this.said = [];
    this.session = enigma.create({
      schema,
      protocol,
      url: SenseUtilities.buildUrl(address),
      createSocket: (url) => new WebSocket(url, { headers }),
    });
    this.ended = new Promise((resolve) => this.session.on("closed", resolve));
    const greeted = new Promise((resolve) => {
      for (const name of NOTIFICATIONS) {
        this.session.on(`notification:${name}`, (content) => {
          this.said.push([name, content]);
          if (name !== "OnAuthenticationInformation" || content.mustAuthenticate) resolve();
        });
      }
    });
    this.global = await this.session.open();
    await greeted;
    return this.said;
  }

  // What was said until the other side closed the websocket.
  async untilTheEnd() {
    await this.ended;
    return this.said;
  }

  async suspendAndResume() {
    await this.session.suspend();
    await this.session.resume();
  }

  async close() {
    await this.session.close();
  }
}

serve(
  () => new ProxySession(),
  (visitor, name, values) => {
    const [place, method] = name.split(".");
    return method ? visitor[place][method](...values) : visitor[place](...values);
  },
);
