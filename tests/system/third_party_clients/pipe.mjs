// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A client at the end of a pipe. The first line of input is its configuration; every other line is a call,
// [method, ...arguments], and gets a line of output: {"result": ...} or {"error": "..."}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { pathToFileURL } from "node:url";

// The main module of a package that is installed in NODE_PATH, which import alone does not look into.
export function load(name) {
  return import(pathToFileURL(createRequire(import.meta.url).resolve(name)));
}

// What both of Informatiqal's packages are configured with, as their manuals show it.
export function connection({ host, port, pki, user, prefix, credentials }) {
  const read = (name) => fs.readFileSync(path.join(pki, name));
  const certificate = credentials ? {} : { cert: read("client.pem"), key: read("client_key.pem") };
  return {
    host,
    port,
    proxy: prefix,
    httpsAgent: new https.Agent({ ca: read(credentials ? "proxy_root.pem" : "root.pem"), ...certificate }),
    authentication: credentials ?? { user_dir: user[0], user_name: user[1] },
  };
}

export async function serve(connect, call) {
  let client;
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...values] = JSON.parse(line);
    let answer;
    try {
      if (name === "configure") {
        client = connect(values[0]);
        answer = { result: process.version };
      } else {
        answer = { result: (await call(client, name, values)) ?? null };
      }
    } catch (error) {
      answer = { error: String(error.message ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}
