// Copyright (c) 2026, The sensible.qlik contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Resolve the host names in the examples to the simulated sites, as sitecustomize.py does for Python.
const {readFileSync} = require('node:fs');
const tls = require('node:tls');

if (process.env.EXAMPLES_NETWORK) {
  const ports = JSON.parse(readFileSync(process.env.EXAMPLES_NETWORK));
  const connect = tls.connect;
  tls.connect = options => {
    const name = options.servername || options.host;
    const port = (ports[name] || {})[String(options.port || 443)];
    return connect(port ? {...options, host: '127.0.0.1', port, servername: name} : options);
  };
}
