// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// qrs-interact at the end of a pipe. The first line of input is its configuration; every other line is a call,
// [method, ...arguments], and gets a line of output: {"result": ...} or {"error": "..."}.

"use strict";

const readline = require("node:readline");
const QrsInteract = require("qrs-interact");

async function main() {
  let client;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...values] = JSON.parse(line);
    let answer;
    try {
      if (name === "configure") {
        client = new QrsInteract(values[0]);
        answer = { result: process.version };
      } else {
        const { statusCode, body } = await client[name](...values);
        answer = { result: { status: statusCode, body } };
      }
    } catch (error) {
      answer = { error: String(error.message ?? error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
