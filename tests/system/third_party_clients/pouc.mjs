// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// qlik-api-qrs and qlik-api-qps at the end of a pipe, configured as their manuals show it. A call is "qrs" or "qps" with
// the steps to a method: a name, or [name, value] for a path parameter.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { serve } from "./pipe.mjs";

const require = createRequire(import.meta.url);

function configure({ qrsRestUri, qpsRestUri, pki }) {
  const read = (name) => fs.readFileSync(path.join(pki, name));
  const headers = { "X-Qlik-User": "UserDirectory=INTERNAL; UserId=sa_api" };
  const options = { ca: read("root.pem"), cert: read("client.pem"), key: read("client_key.pem"), headers };
  return {
    qrs: require("qlik-api-qrs")({ ...options, qrsRestUri }),
    qps: require("qlik-api-qps")({ ...options, qpsRestUri }),
  };
}

async function call(apis, name, [steps, ...values]) {
  const target = steps.reduce((api, step) => (Array.isArray(step) ? api[step[0]](step[1]) : api[step]), apis[name]);
  try {
    return await target(...values);
  } catch (refusal) {
    throw new Error(typeof refusal === "string" ? refusal : (refusal.message ?? JSON.stringify(refusal)));
  }
}

serve(configure, call);
