# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promotions between three sites. The tests build on each other."""

from __future__ import annotations

import json
import re
import sys

import pytest
import yaml
from descriptions import SOURCE, TARGET
from laboratory import Laboratory, State, Values

PROMOTE = "sensible.qlik.promote"
before: dict[str, State] = {}


@pytest.fixture(scope="module", autouse=True)
def _sites(laboratory: Laboratory) -> None:
    dev = laboratory.add("dev", SOURCE)
    for prefix in ("portal", "embedded", "trial"):
        dev.set_field(prefix, jwtPublicKeyCertificate=dev.certificate)
    for name in ("test", "prod"):
        site = laboratory.add(name, TARGET)
        for prefix in ("portal", "others"):
            site.set_field(prefix, jwtPublicKeyCertificate=site.certificate)
        laboratory.hosts[name]["promotion_nodes"] = {"Dev2": "Rim1"}
        laboratory.hosts[name]["promotion_overrides"] = {
            "*": {"jwt_public_key_certificate": site.certificate},
            "portal": {"host_allow_list": [f"{name}.example.com"]},
            # Linked to one proxy of two: a login has to work there, and to be unknown on the other.
            "embedded": {"proxies": ["Central"]},
        }
        before[name] = site.state()
        # No report can be written there, which changes no verdict and hides no diagnosis.
        laboratory.hosts[name]["smoke_test_report_directory"] = str(laboratory.directory / "inventory.json" / "reports")
    laboratory.hosts["prod"] |= {"promotion_approval": True, "promotion_approved": True}
    # The same by entries: prod adds its host to the list of test and removes that of test.
    laboratory.hosts["prod"]["promotion_overrides"]["portal"] = {
        "host_allow_list_add": ["prod.example.com"],
        "host_allow_list_remove": ["TEST.example.com"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give -e promote_source=SITE -e promote_target=SITE, or"),
        (["-e", "promote_source=dev", "-e", "promote_target=tset"], "sites are dev, test, prod"),
        (["-e", "promote_stages=dev,test,prod", "--limit", "prod,localhost"], "Do not use --limit"),
        (
            ["-e", "promote_stages=dev,test", "-e", "promote_prefixes=portal,nothing"],
            "dev has no such JWT virtual proxy: nothing",
        ),
        (
            ["-e", "promote_stages=dev,test", "-e", "promote_tag=nothing"],
            "dev has no such JWT virtual proxy with the tag nothing. Correct promotion_prefixes, promote_tag",
        ),
    ],
)
def test_invalid_requests_are_refused_before_any_write(
    laboratory: Laboratory, arguments: list[str], message: str
) -> None:
    done = laboratory.run(PROMOTE, *arguments)
    assert done.code == 2
    assert message in done.output


SOURCE_OF_TEST = {"promotion_source": "dev", "promotion_prefixes": ["embedded"], "promotion_tags": ["portal"]}


@pytest.mark.parametrize(
    ("inventory", "play", "arguments", "expected"),
    [
        (SOURCE_OF_TEST, {}, {"promote_target": "test"}, "embedded (created)"),
        (SOURCE_OF_TEST, {"promotion_prefixes": ["portal"], "promote_target": "test"}, {}, "portal (updated)"),
        (
            {"promotion_source": "prod", "promotion_prefixes": ["trial"], "promotion_tags": ["kept"]},
            {"promotion_prefixes": ["trial"]},
            {"promote_stages": ["dev", "test"], "promote_prefixes": "portal", "promote_tag": "portal"},
            "portal (updated)",
        ),
    ],
    ids=["inventory", "play", "extra variable"],
)
def test_variables_are_read_from_each_source(
    laboratory: Laboratory, inventory: Values, play: Values, arguments: Values, expected: str
) -> None:
    playbook = laboratory.directory / "imported.yml"
    playbook.write_text(json.dumps([{"ansible.builtin.import_playbook": PROMOTE, "vars": play}]))
    laboratory.hosts["test"] |= inventory
    done = laboratory.run(str(playbook), "-e", json.dumps(arguments), "--check", "--diff")
    for name in inventory:
        del laboratory.hosts["test"][name]
    assert done.code == 0, done.output
    assert re.findall(r"after: virtual proxy (\S+ \(\w+\))", done.output) == [expected]


def test_a_snapshot_that_cannot_be_written_stops_the_run(laboratory: Laboratory) -> None:
    arguments = ["-e", "promote_stages=dev,test", "-e", "promote_prefixes=embedded"]
    variables = {"promotion_smoke_tests": [], "promotion_snapshot_directory": "inventory.json/snapshots"}
    writes = laboratory.sites["test"].writes()
    done = laboratory.run(PROMOTE, *arguments, "-e", json.dumps(variables))
    assert done.code == 2
    assert "was not started and nothing was written, because the snapshot could not be written to" in done.output
    assert f"{laboratory.directory}/inventory.json/snapshots (promotion_snapshot_directory): " in done.output
    assert "Not a directory" in done.output
    assert laboratory.sites["test"].writes() == writes


@pytest.mark.slow
def test_a_host_in_no_file_needs_a_directory_for_snapshots(laboratory: Laboratory) -> None:
    name = "../lonely"
    adding = {"name": name, **laboratory.hosts["test"], "promotion_source": "dev", "promotion_prefixes": ["embedded"]}
    tasks = [{"ansible.builtin.add_host": {**adding, "promotion_smoke_tests": []}}]
    role = {"hosts": name, "gather_facts": False, "connection": "local", "roles": ["sensible.qlik.promotion"]}
    plays = [{"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}, role]
    playbook = laboratory.directory / "lonely.yml"
    playbook.write_text(json.dumps(plays))
    python = ["-e", f"ansible_python_interpreter={sys.executable}"]
    refused = laboratory.run(str(playbook), *python)
    assert refused.code == 2
    assert "../lonely is not defined in an inventory file" in refused.output
    assert "Set promotion_snapshot_directory." in refused.output
    done = laboratory.run(str(playbook), *python, "-e", "promotion_snapshot_directory=own/snapshots")
    assert done.code == 0, done.output
    [file] = (laboratory.directory / "own" / "snapshots").iterdir()
    assert file.name.startswith("__lonely-20")
    role |= {
        "roles": [],
        "tasks": [{"ansible.builtin.import_role": {"name": "sensible.qlik.promotion", "tasks_from": "roll_back.yml"}}],
    }
    playbook.write_text(json.dumps(plays))
    done = laboratory.run(str(playbook), *python, "-e", f"promotion_snapshot={file}")
    assert done.code == 0, done.output
    assert laboratory.sites["test"].state() == before["test"]


def test_check_mode_shows_all_stages_and_writes_nothing(laboratory: Laboratory) -> None:
    dev = laboratory.sites["dev"]
    headers = dev.state().virtual_proxies["portal"]["additionalResponseHeaders"]
    dev.set_field("portal", additionalResponseHeaders="nonsense")
    done = laboratory.run(
        PROMOTE, "-e", "promote_stages=dev,test,prod", "-e", "promote_tag=portal", "--check", "--diff"
    )
    dev.set_field("portal", additionalResponseHeaders=headers)
    assert done.code == 0, done.output
    # Test has it from dev, and prod from what test will be, with the list of each.
    for name in ("test", "prod"):
        assert laboratory.sites[name].state() == before[name]
        assert f"+ - {name}.example.com" in done.output
    assert done.output.count("- session_inactivity_timeout: 45 + session_inactivity_timeout: 20") == 2
    assert done.output.count("after: virtual proxy embedded (created)") == 2
    assert "trial" not in done.output
    # Values of the source are copied, also those that are certain not to work.
    for name in ("dev", "test"):
        assert f"cannot work, because {name} has them: additional_response_headers." in done.output
    assert laboratory.snapshots() == []


def test_source_with_failed_logins_is_not_promoted(laboratory: Laboratory) -> None:
    right = laboratory.hosts["dev"]["qlik_jwt_private_key_path"]
    laboratory.hosts["dev"]["qlik_jwt_private_key_path"] = str(laboratory.sites["test"].pki / "server_key.pem")
    done = laboratory.run(PROMOTE, "-e", "promote_stages=dev,test", "-e", "promote_prefixes=embedded")
    laboratory.hosts["dev"]["qlik_jwt_private_key_path"] = right
    assert done.code == 2
    assert "was not started and nothing was written, because the smoke test on dev failed" in done.output
    assert "The signature does not match the certificate" in done.output
    assert laboratory.sites["test"].state() == before["test"]
    assert laboratory.snapshots() == []


def test_promotion_stops_at_the_first_unapproved_site(laboratory: Laboratory) -> None:
    arguments = ["-e", "promote_stages=dev,test,prod", "-e", "promote_tag=portal", "-e", "promote_approved=test"]
    done = laboratory.run(PROMOTE, *arguments, "-vvv")
    assert done.code == 2
    assert "Promotion of dev to test: embedded created, portal updated." in done.output
    assert "Warning: The reports could not be written to" in done.output
    assert "Promotion of test to prod is not approved, so nothing was written" in done.output
    assert "run it with -e promote_approved=prod" in done.output
    assert laboratory.sites["prod"].state() == before["prod"]
    test, old = laboratory.sites["test"].state(), before["test"]
    dev = laboratory.sites["dev"].state()
    assert test.virtual_proxies["portal"] == {
        **dev.virtual_proxies["portal"],
        "jwtPublicKeyCertificate": laboratory.sites["test"].certificate,
        "websocketCrossOriginWhiteList": ["test.example.com"],
        "loadBalancingServerNodes": test.virtual_proxies["portal"]["loadBalancingServerNodes"],
    }
    nodes = [node["name"] for node in test.virtual_proxies["portal"]["loadBalancingServerNodes"]]
    assert sorted(nodes) == ["Central", "Rim1"]
    assert test.links == {
        "Central": old.links["Central"] | {"portal", "embedded"},
        "Rim1": old.links["Rim1"] | {"portal"},
    }
    assert test.virtual_proxies["others"] == old.virtual_proxies["others"]
    assert "trial" not in test.virtual_proxies
    assert test.others == old.others
    assert len(laboratory.snapshots()) == 1


def test_only_the_approved_virtual_proxy_is_promoted(laboratory: Laboratory) -> None:
    arguments = [
        "-e",
        "promote_source=test",
        "-e",
        "promote_target=prod",
        "-e",
        "promote_prefixes=portal",
        "-e",
        "promote_approved=prod",
    ]
    done = laboratory.run(PROMOTE, *arguments)
    assert done.code == 0, done.output
    assert "Promotion of test to prod: portal updated. Logins verified on: test, prod." not in done.output
    prod = laboratory.sites["prod"].state()
    assert prod.virtual_proxies["portal"]["websocketCrossOriginWhiteList"] == ["prod.example.com"]
    assert prod.virtual_proxies["portal"]["sessionInactivityTimeout"] == 20
    assert "embedded" not in prod.virtual_proxies
    assert len(laboratory.snapshots()) == 2


def test_a_second_run_writes_nothing_and_verifies_the_target(laboratory: Laboratory) -> None:
    writes = laboratory.sites["prod"].writes()
    done = laboratory.run(
        PROMOTE, "-e", "promote_source=test", "-e", "promote_target=prod", "-e", "promote_prefixes=portal"
    )
    assert done.code == 0, done.output
    assert "Logins verified on: prod." in done.output
    assert "none, because nothing differed" in done.output
    assert laboratory.sites["prod"].writes() == writes
    assert len(laboratory.snapshots()) == 2


def note(laboratory: Laboratory) -> str:
    """Return the note on the page of the last smoke test of the site test."""
    text = (laboratory.directory / "reports/test/index.html").read_text().replace("<wbr>", "")
    return text.partition("After this smoke test:</strong> ")[2].partition("</p>")[0]


def test_promotion_with_failed_logins_is_rolled_back(laboratory: Laboratory) -> None:
    dev, test = laboratory.sites["dev"], laboratory.sites["test"]
    old = test.state()
    dev.set_field("portal", sessionInactivityTimeout=5, sessionCookieDomain="", additionalResponseHeaders="X-A: 1")
    # The wrong file was copied, and trial is new here.
    laboratory.hosts["test"]["promotion_overrides"]["*"]["jwt_public_key_certificate"] = dev.certificate
    laboratory.hosts["test"] |= {
        "smoke_test_wait": 0,
        "smoke_test_report_directory": str(laboratory.directory / "reports"),
    }
    done = laboratory.run(PROMOTE, "-e", "promote_stages=dev,test,prod", "-e", "promote_approved=prod")
    laboratory.hosts["test"]["promotion_overrides"]["*"]["jwt_public_key_certificate"] = test.certificate
    assert done.code == 2
    assert "Promotion of dev to test failed: " in done.output
    assert "The signature does not match the certificate" in done.output
    assert "Everything was restored and compared with the snapshot (" in done.output
    assert "trial deleted)." in done.output
    assert f"The snapshot is {laboratory.snapshots()[-1]}." in done.output
    assert test.state() == old
    assert "prod" not in done.output.partition("PLAY RECAP")[2]
    assert note(laboratory).startswith("Promotion of dev to test failed, and the previous state of test was restored")


def test_a_snapshot_is_restored_by_hand(laboratory: Laboratory) -> None:
    first = str(laboratory.snapshots()[0].relative_to(laboratory.directory))
    test = laboratory.sites["test"]
    done = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={first}")
    assert done.code == 0, done.output
    assert "Restored and compared with the snapshot: portal updated, embedded deleted." in done.output
    assert test.state() == before["test"]
    assert note(laboratory) == (
        f"The state of test before a promotion was restored from {laboratory.snapshots()[0]}. "
        "This page shows the logins before that."
    )

    writes = test.writes()
    again = laboratory.run("sensible.qlik.roll_back", "-e", f"roll_back_snapshot={first}", "--check")
    assert again.code == 0, again.output
    assert "portal unchanged, embedded unchanged" in again.output
    assert test.writes() == writes


def test_the_own_virtual_proxy_is_not_promoted(laboratory: Laboratory) -> None:
    """It is omitted if it is not named. If it is named, the module refuses the change."""
    # Signing in with a certificate, the variable is without effect on the connection: the rule alone is seen here.
    laboratory.hosts["test"]["qlik_virtual_proxy_prefix"] = "embedded"
    done = laboratory.run(PROMOTE, "-e", "promote_stages=dev,test", "--check")
    del laboratory.hosts["test"]["qlik_virtual_proxy_prefix"]
    assert done.code == 0, done.output
    assert "virtual proxy trial (created)" in done.output
    assert "virtual proxy embedded" not in done.output


def test_a_virtual_proxy_that_is_being_replaced_is_not_promoted(laboratory: Laboratory) -> None:
    test, kept = laboratory.sites["test"], laboratory.snapshots()
    test.set_field("portal", description="The portal [replaced 2026-11-28T10:00:00Z]")
    laboratory.sites["dev"].set_field("portal", sessionInactivityTimeout=32)
    writes = test.writes()
    arguments = ["-e", "promote_source=dev", "-e", "promote_target=test", "-e", "promote_prefixes=portal"]
    done = laboratory.run(PROMOTE, *arguments, "-e", '{"promotion_smoke_tests": []}')
    test.set_field("portal", description="The portal")
    assert done.code == 2, done.output
    assert "because a key rotation has redirected users from portal to another virtual proxy" in done.output
    assert (test.writes() - 1, laboratory.snapshots()) == (writes, kept)


def test_check_mode_reports_unfinished_and_damaged_snapshots(laboratory: Laboratory) -> None:
    last = laboratory.snapshots()[-1]
    damaged, unfinished = (last.with_name(f"test-20200101T000000Z-{name}.yml") for name in ("damaged", "unfinished"))
    damaged.write_text("unfinished: [portal\n")
    unfinished.write_text(last.read_text().replace("unfinished: []", 'unfinished: ["portal"]'))
    arguments = ["-e", "promote_source=dev", "-e", "promote_target=test", "-e", "promote_prefixes=portal", "--check"]
    done = laboratory.run(PROMOTE, *arguments)
    for file in (damaged, unfinished):
        file.unlink()
    assert done.code == 0, done.output
    assert f"Warning: {damaged} is ignored, although it may be the snapshot of an interrupted" in done.output
    assert f"with the snapshot {unfinished} was interrupted" in done.output


def test_two_promotions_of_one_second_keep_both_snapshots(laboratory: Laboratory) -> None:
    kept = len(laboratory.snapshots())
    for prefix in ("portal", "embedded"):
        laboratory.sites["dev"].set_field(prefix, sessionInactivityTimeout=33)
        arguments = ["-e", "promote_source=dev", "-e", "promote_target=test", "-e", f"promote_prefixes={prefix}"]
        done = laboratory.run(PROMOTE, *arguments, "-e", "__promotion_time=20261128T120000Z")
        assert done.code == 0, done.output
    files = laboratory.snapshots()[kept:]
    contents = [yaml.safe_load(file.read_text())["virtual_proxies"] for file in files]
    assert [[one["prefix"] for one in content] for content in contents] == [["portal"], ["embedded"]]
    assert {file.name[:22] for file in files} == {"test-20261128T120000Z-"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give -e roll_back_snapshot=FILE."),
        (["-e", "roll_back_snapshot=prod"], "/prod, which is not a file."),
        (["-e", "roll_back_snapshot=inventory.json"], "inventory.json. It is not a snapshot of a promotion."),
        (["-e", '{"roll_back_snapshot": ["a.yml"]}'], "roll_back_snapshot must be a path, not a list."),
    ],
)
def test_invalid_snapshots_are_refused(laboratory: Laboratory, arguments: list[str], message: str) -> None:
    done = laboratory.run("sensible.qlik.roll_back", *arguments)
    assert done.code == 2
    assert message in done.output
    assert "Traceback" not in done.output
