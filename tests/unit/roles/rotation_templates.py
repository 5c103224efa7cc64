# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of the role key_rotation and those in the guides, without Ansible."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pathlib
import re
import shutil
import textwrap
import typing as t
import urllib.parse

import jinja2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

COLLECTION = pathlib.Path(__file__).parents[3]
TEMPLATES = COLLECTION / "roles" / "key_rotation" / "templates"
GUIDES = COLLECTION / "docs" / "docsite" / "rst"
NODES = ["https://qlik1.example.com", "https://qlik2.example.com:8443"]
OLD: dict[str, t.Any] = {"prefix": "portal", "session_cookie_header_name": "X-Qlik-Session-portal"}
NEW: dict[str, t.Any] = {
    "prefix": "portal-2",
    "session_cookie_header_name": "X-Qlik-Session-portal-2",
    "same_site_attribute_https": "none",
}


def example(name: str) -> str:
    """Return a template from an example in a guide, which begins with its name in a comment."""
    for guide in sorted(GUIDES.glob("guide_*.rst")):
        for block in re.findall(r"\.\. code-block:: jinja\n\n((?: +.*\n|\n)+)", guide.read_text()):
            text = textwrap.dedent(block)
            if text.startswith(f"{{# {name}:"):
                return text
    raise LookupError(name)


def environment() -> jinja2.Environment:
    """Return Jinja with the filters of Ansible that the templates use, set up as their tasks have it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["regex_escape"] = re.escape
    environment.filters["regex_replace"] = lambda text, pattern, by: re.sub(pattern, by, text)
    environment.filters["urlsplit"] = urllib.parse.urlsplit
    return environment


def render(name: str, slots: list[dict[str, t.Any]], **more: t.Any) -> str:
    """Return what the role writes for nginx."""
    variables = {
        "key_rotation_name": "portal",
        "__key_rotation_nodes": NODES,
        "key_rotation_front_end_ca_path": "/etc/root.pem",
        "__key_rotation_candidate": {"path": "/tmp/candidate"},
    }
    return environment().get_template(name).render(__key_rotation_slots=slots, **variables | more)


def render_example(name: str, slots: list[dict[str, t.Any]], **more: t.Any) -> str:
    """Return what an example in the guide on rotation writes."""
    variables = {
        "public_path": "portal",
        "nodes": NODES,
        "public_urls": ["https://www.example.com"],
        "ca_file": "/etc/root.pem",
        "directory": "/etc/front",
    }
    return environment().from_string(example(name)).render(slots=slots, **variables | more)


def make_certificate(directory: pathlib.Path, *, name: str = "localhost") -> tuple[str, str]:
    """Paths of a certificate that is its own authority, and of its key."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "key").touch(mode=0o600)
    (directory / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(directory / "pem"), str(directory / "key")


def found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


# Those that it says it needs, and one that runs processes; as Debian installs them.
NEEDED = re.findall("# Modules: (.*)", render_example("portal.conf.j2", [OLD]))[0].split(", ")
APACHE_MODULES = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in ("mpm_event", *NEEDED)]
