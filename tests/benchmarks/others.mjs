// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What a careful user of another client writes: look each virtual proxy up, create what is missing, and then give each
// proxy the links that it lacks.
//
// Usage: node others.mjs CLIENT WORK.json

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";

const require = createRequire(import.meta.url);
const [, , name, file] = process.argv;
const work = JSON.parse(fs.readFileSync(file, "utf8"));
const read = (pem) => fs.readFileSync(path.join(work.pki, pem));

// Each client as get, post and put of parsed JSON.
const clients = {
  "qrs-interact": async () => {
    const QrsInteract = require("qrs-interact");
    const client = new QrsInteract({ hostname: work.host, portNumber: work.port, localCertPath: work.pki });
    return {
      get: async (where) => (await client.Get(where)).body,
      post: async (where, body) => (await client.Post(where, body, "json")).body,
      put: async (where, body) => (await client.Put(where, body)).body,
    };
  },
  "qlik-repo-api": async () => {
    const { QlikRepoApi } = await import(pathToFileURL(require.resolve("qlik-repo-api")));
    const client = new QlikRepoApi.client({
      host: work.host,
      port: work.port,
      httpsAgent: new https.Agent({ ca: read("root.pem"), cert: read("client.pem"), key: read("client_key.pem") }),
      authentication: { user_dir: "INTERNAL", user_name: "sa_api" },
    });
    return {
      get: async (where) => (await client.repoClient.Get(where)).data,
      post: async (where, body) => (await client.repoClient.Post(where, body)).data,
      put: async (where, body) => (await client.repoClient.Put(where, body)).data,
    };
  },
};

const client = await clients[name]();
const nodes = await client.get("servernodeconfiguration");
const ids = [];
for (const entry of work.entries) {
  const [found] = await client.get(`virtualproxyconfig/full?filter=prefix%20eq%20'${entry.prefix}'`);
  const entity =
    found ??
    (await client.post("virtualproxyconfig", {
      prefix: entry.prefix,
      description: entry.prefix,
      sessionCookieHeaderName: `X-Qlik-Session-${entry.prefix}`,
      authenticationMethod: 4,
      jwtAttributeUserId: "userId",
      jwtAttributeUserDirectory: "userDirectory",
      jwtPublicKeyCertificate: entry.jwt_public_key_certificate,
      loadBalancingServerNodes: nodes
        .filter((node) => entry.load_balancing_server_nodes.includes(node.name))
        .map((node) => ({ id: node.id })),
    }));
  ids.push(entity.id);
}
for (const proxy of await client.get("proxyservice/full")) {
  const linked = proxy.settings.virtualProxies.map((one) => one.id);
  const missing = ids.filter((id) => !linked.includes(id));
  if (missing.length > 0) {
    proxy.settings.virtualProxies = [...linked, ...missing].map((id) => ({ id }));
    await client.put(`proxyservice/${proxy.id}`, proxy);
  }
}
