# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# `make` alone lists the targets. Everything is written below .venv, .stage and .demo. Python 3.11 or newer, make, git and
# a Python package index are required.

# Make gets relative paths only, and the shell quoted ones. But ansible-test does not run in a path with blanks; then .venv
# and .stage are in the user's cache.
ifneq ($(words $(CURDIR)),1)
CACHE := $(HOME)/.cache/sensible.qlik/$(shell pwd | cksum | cut -d ' ' -f 1)
VENV := $(CACHE)/.venv
STAGE := $(CACHE)/.stage
else
ROOT := $(CURDIR)/
VENV := .venv
STAGE := .stage
endif
# The first of these that is new enough creates the virtual environment; PYTHON=/some/python3 overrides it.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11

# ansible-test works only in a directory of this name, and tests must see the same files as git: tracked or not yet added,
# but never ignored. Therefore they run on a copy.
COPY := $(STAGE)/ansible_collections/sensible/qlik
INSTALLED := $(STAGE)/installed

export PATH := $(ROOT)$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH = $(ROOT)$(STAGE)
export ANSIBLE_LOCALHOST_WARNING := false
export ANSIBLE_INVENTORY_UNPARSED_WARNING := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1
ifeq ($(shell uname),Linux)
export LC_ALL := C.UTF-8
endif
# Variables of the current shell must not change the tests.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
$(foreach name,$(filter QLIK_SENSE_%,$(.VARIABLES)),$(eval unexport $(name)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help:
	@echo 'make <target>, with one of these:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- The virtual environment

# Created again when the requirements change or the directory was moved or copied.
ifneq ($(shell cat $(VENV)/made-in 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/made-in
endif

# Prints the interpreter itself, because the name on the path may belong to the virtual environment that is replaced.
NEW_ENOUGH := import ensurepip, sys, venv; assert sys.version_info >= (3, 11); print(sys._base_executable)

# ANSIBLE, for `make matrix`, is what pip installs instead of the pinned release: 'ansible==9.*', or '--pre ansible'.
# It is installed separately after the libraries, so that --pre installs no pre-release of a library.
ifdef ANSIBLE
RUNTIME_REQUIREMENTS := meta/ee-requirements.txt
TEST_REQUIREMENTS := requirements-test.txt
else
RUNTIME_REQUIREMENTS := requirements-demo.txt
TEST_REQUIREMENTS := requirements-dev.txt
endif

$(VENV)/made-in: requirements-demo.txt meta/ee-requirements.txt tests/simulator/pyproject.toml
	@set -e; found=; for python in $(PYTHON); do \
	  found=$$("$$python" -c '$(NEW_ENOUGH)' 2>/dev/null) && break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'None of these is Python 3.11 or newer with its modules venv and ensurepip: $(PYTHON).' >&2; \
	  echo 'Install one (on Debian and Ubuntu the package is python3-venv), or name it: make PYTHON=/path/to/python3' >&2; \
	  exit 1; \
	fi; \
	echo "Creating a virtual environment with $$("$$found" --version): this takes a minute, once."; \
	"$$found" -m venv --clear $(VENV)
# compat: a plain path entry. The default, an import hook, costs every Python in the environment some 15 ms.
	@$(VENV)/bin/python -m pip install --no-compile -r $(RUNTIME_REQUIREMENTS) -e tests/simulator --config-settings editable_mode=compat
	@printf '%s\n' "$(CURDIR)" > $@

$(VENV)/made-for-tests: $(VENV)/made-in requirements-dev.txt requirements-test.txt
	@echo 'Installing the tools for tests.'
	@$(VENV)/bin/python -m pip install --no-compile -r $(TEST_REQUIREMENTS)
ifdef ANSIBLE
	@$(VENV)/bin/python -m pip install --no-compile $(ANSIBLE)
endif
	@touch $@

# Only for `make docs-site`, in the same environment, because it runs ansible-doc.
$(VENV)/made-for-docs: $(VENV)/made-for-tests requirements-docs.txt
	@$(VENV)/bin/python -m pip install --no-compile -r requirements-docs.txt
	@touch $@

.PHONY: venv dev
venv: $(VENV)/made-in ## Create .venv with Ansible, the libraries and the simulator
dev: $(VENV)/made-for-tests

# ---- The copy that is tested, the tarball, and the tarball installed

.PHONY: stage build install
stage: venv
ifndef STAGED
	@$(VENV)/bin/python tests/tools/stage.py "$(COPY)"
endif

build: stage ## Build the collection's tarball, into .stage/dist
	@rm -rf $(STAGE)/dist
	@ansible-galaxy collection build --output-path $(STAGE)/dist $(COPY) > /dev/null
	@[ -n "$(QUIET)" ] || ls $(STAGE)/dist/*.tar.gz

# Without its dependency community.crypto: the package "ansible" contains it, and the demos do not need it.
install: export ANSIBLE_COLLECTIONS_PATH = $(ROOT)$(INSTALLED)
install: build
	@rm -rf $(INSTALLED)
	@ansible-galaxy collection install --offline --no-deps -p $(INSTALLED) $(STAGE)/dist/*.tar.gz > $(STAGE)/install.log 2>&1 \
	  || { cat $(STAGE)/install.log; exit 1; }

# ---- Demonstrations and tests

.PHONY: demo site demo-promotion demo-rotation test test-more test-all test-nightly bench
demo: QUIET = yes
demo: install ## Declare two JWT virtual proxies on a simulated two-node site, use them and verify the logins
	@$(VENV)/bin/python tests/demo/run.py --directory .demo --collections $(INSTALLED)

# Other files of a site that runs already: make site DIRECTORY=.site-2
DIRECTORY ?= .site
site: QUIET = yes
site: install ## Start a simulated site for your own commands, with a first playbook; Ctrl-C ends it
	@$(VENV)/bin/python tests/demo/try_site.py --directory "$(DIRECTORY)" --collections $(INSTALLED)

demo-promotion: QUIET = yes
demo-promotion: install ## Promote from dev to test to prod on three simulated sites, and restore a site after a failure
	@$(VENV)/bin/python tests/demo/promotion.py --directory .demo --collections $(INSTALLED)

demo-rotation: QUIET = yes
demo-rotation: export ANSIBLE_COLLECTIONS_PATH = $(ROOT)$(INSTALLED)
demo-rotation: dev install ## Replace a key while users log in and send requests, and count their errors. Requires nginx
	@$(VENV)/bin/python tests/benchmarks/rotation.py --demo

# Number of steps at a time; few of them use more than one processor for long.
LANES ?= 2
RUN_STEPS = $(VENV)/bin/python tests/tools/steps.py --results $(STAGE)/results --make "$(MAKE)" --lanes $(LANES)
# Three sizes: `make test` leaves out tests with the markers slow and nightly, `make test-all` those with nightly.
# The longest steps are first, so that the lanes end at about the same time.
LINT = docs types style yaml changelog reuse workflow
QUICK = targets environment behaviors units promotion simulator secrets faults examples hostile $(LINT) validate tarball
SLOW = environment examples sanity promotion hostile recovery operations clients packaging docs-site ansiblelint integration/lookup_jwt integration/role_smoke_test
test: dev stage ## Run the quick tests of all features, in minutes; the last line is the summary
	@$(RUN_STEPS) 'MARKS=not slow and not nightly' PROCESSES=0 $(QUICK)

test-more: dev stage ## Run the steps of `make test-all` that `make test` does not have
	@$(RUN_STEPS) 'MARKS=slow and not nightly' $(SLOW)

test-all: dev stage ## Run each kind of check once
	@$(RUN_STEPS) $(filter-out $(QUICK),$(SLOW)) $(QUICK)

test-nightly: export NIGHTLY := yes
test-nightly: dev stage ## Run all faults, all crash points, and all targets with ansible-test; takes hours
	@$(RUN_STEPS) MARKS= IN_PROCESS= $(filter-out $(QUICK) integration/%,$(SLOW)) $(filter-out targets,$(QUICK)) $(TARGETS:%=integration/%)

bench: dev stage ## Count requests, connections and writes and measure times; never fails
	@for script in $$(grep -l __main__ tests/benchmarks/*.py); do echo "== $$script"; $(VENV)/bin/python "$$script" || exit 1; done

# ---- The steps of `make test`; each can be run alone

.PHONY: lint style types yaml ansiblelint reuse workflow changelog docs
lint: dev stage ## Run the static checks: ruff, mypy, yamllint, ansible-lint, reuse, zizmor, documentation
	@$(RUN_STEPS) ansiblelint $(LINT)

style: dev stage
	@cd $(COPY) && ruff format --diff --quiet . && ruff check --quiet . && python tests/tools/import_order.py && \
	codespell && python tests/tools/wording.py $$(git ls-files --others --exclude-standard)

# The collection with its real name, the simulator as a package, and scripts in their directories.
MYPY = mypy --cache-dir "$(ROOT)$(STAGE)/mypy" --config-file "$(CURDIR)/pyproject.toml"
SCRIPTS = $(patsubst tests/%/,%,$(sort $(dir $(wildcard $(addprefix tests/,simulator/tests/*.py benchmarks/*.py demo/*.py \
  system/*/*.py system/docs_examples/network/*.py tools/*.py tools/in_process/*.py integration/targets/*/files/*.py)))))
types: export MYPYPATH = $(ROOT)$(STAGE):$(ROOT)$(COPY)/tests/simulator
types: dev stage
	@status=0; check() { (cd "$$1" && shift && $(MYPY) "$$@") || status=1; }; \
	check $(STAGE) $(COPY:$(STAGE)/%=%)/plugins $(COPY:$(STAGE)/%=%)/tests/unit; \
	check $(COPY)/tests/simulator qlik_sense_simulator; \
	for scripts in $(SCRIPTS); do check $(COPY)/tests/$$scripts .; done; \
	exit $$status

yaml: dev stage
	@cd $(COPY) && yamllint --strict .

ansiblelint: dev stage
	@cd $(COPY) && ansible-lint --nocolor --offline --profile production --strict

# Not in the copy, because in a repository without a commit reuse does not detect the files that git ignores.
reuse: dev
	@reuse lint --lines

workflow: dev stage
	@cd $(COPY) && zizmor --offline --no-progress --quiet .

changelog: dev stage
	@cd $(COPY) && antsibull-changelog lint

# antsibull-docs writes a log to the home directory.
docs: dev stage
	@python -m qlik_sense_simulator.evidence --check docs/docsite/rst/evidence.rst
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" python tests/tools/login_check_docs.py --check
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" python tests/tools/reference_pages.py --check docs/docsite/rst
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" python tests/tools/public_names.py --check tests/public_names.txt
	@cd $(COPY) && HOME="$(ROOT)$(STAGE)" antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self --check-extra-docs-refs .

# The pages are those of antsibull-docs, in a directory that is always new; the first page is the index of the collection.
SITE = $(ROOT)$(STAGE)/docs-site
.PHONY: docs-site
docs-site: $(VENV)/made-for-docs stage ## Build the documentation site, into .stage/docs-site/html
	@rm -rf "$(SITE)" && mkdir -p -m 755 "$(SITE)/rst"
	@HOME="$(ROOT)$(STAGE)" antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
	  --dest-dir "$(SITE)/rst" sensible.qlik > "$(SITE)/antsibull-docs.log" || { cat "$(SITE)/antsibull-docs.log"; exit 1; }
	@sphinx-build --quiet --fail-on-warning --keep-going -c tests/tools/docs_site -d "$(SITE)/doctrees" "$(SITE)/rst" "$(SITE)/html"
	@[ -n "$(QUIET)" ] || echo "$(SITE)/html/index.html"

RESULTS ?= $(ROOT)$(STAGE)/results
# Only the current Python; `make matrix` runs the others.
ANSIBLE_TEST = ansible-test $(1) --python "$$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
KEEP_RESULTS = status=$$?; mkdir -p "$(RESULTS)"; mv tests/output/junit/*$(1)*.xml "$(RESULTS)" 2>/dev/null; exit $$status
MARKS ?= not nightly
PYTEST = python -m pytest --quiet -m '$(MARKS)' -p no:cacheprovider --junit-xml "$(RESULTS)/$(notdir $@).xml"
# Playbooks run in one process, which costs a quarter: see tests/tools/in_process. IN_PROCESS= on the command line: as usual.
IN_PROCESS = yes
PLAYBOOKS = $(if $(IN_PROCESS),PATH="$(ROOT)$(COPY)/tests/tools/in_process/bin:$$PATH" IN_PROCESS_CACHE="$(ROOT)$(STAGE)/templates")
# Of xdist; 0 is none, which costs the least where other steps run as well.
PROCESSES ?= 2

.PHONY: units faults hostile secrets recovery operations simulator behaviors examples clients targets promotion environment
units: dev stage ## Run the unit tests of the collection
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" $(PYTEST) --import-mode importlib --numprocesses $(PROCESSES) tests/unit

faults: dev stage ## Run the bulk module with each fault of a request, two writers at once, and interrupted slot changes
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" $(PLAYBOOKS) $(PYTEST) tests/system/fault_injection

hostile: dev stage ## Run each client against servers that are slow, endless, redirecting, misleading or lying
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" $(PYTEST) tests/system/hostile_servers

secrets: dev stage ## Check that no output contains a key, token or password, also at -vvvv
	@cd $(COPY) && $(PLAYBOOKS) $(PYTEST) tests/system/secrets

recovery: dev stage ## Kill a rotation before each of its writes, and run it again
	@cd $(COPY) && $(PYTEST) tests/system/crash_recovery

operations: dev stage ## Run each playbook with each fault: killed, no space, two at once, renamed, moved, clock set back
	@cd $(COPY) && $(PYTEST) --numprocesses $(PROCESSES) tests/system/operations

simulator: dev stage ## Run the tests of the simulator
	@cd $(COPY) && $(PYTEST) tests/simulator/tests

behaviors: dev stage ## Run module, lookup, login check and role with each switch of the simulated site
	@cd $(COPY) && PYTHONPATH="$(ROOT)$(STAGE)" $(PLAYBOOKS) $(PYTEST) tests/system/behavior_matrix

# The documents as users follow them; the examples of plugins, which are one playbook, in one process.
examples: dev stage ## Check that each option has an example, and run all examples in the documentation
	@cd $(COPY) && EXAMPLES_PLAYBOOKS="$(if $(IN_PROCESS),$(ROOT)$(COPY)/tests/tools/in_process/bin)" $(PYTEST) tests/system/docs_examples

# Which clients were skipped, and why, is in the lines at the end: one for each of them, not for each test.
clients: dev stage ## Run third-party Qlik clients and a browser against the simulator
	@cd $(COPY) && CLIENTS_DIRECTORY="$(ROOT)$(STAGE)/npm" CLIENTS_SCREENSHOTS="$(ROOT)$(STAGE)/screenshots" $(PYTEST) -m '' -rfE tests/system/third_party_clients

targets: dev stage ## Run the integration targets, each in one process
	@cd $(COPY) && $(PLAYBOOKS) $(PYTEST) tests/tools/in_process

promotion: dev stage ## Test promotions between three sites: exit status, output and files
	@cd $(COPY) && $(PLAYBOOKS) $(PYTEST) tests/integration/targets/role_promotion/files

environment: dev stage ## Test modules, playbooks and inventory with a netrc file and proxy variables
	@cd $(COPY) && $(PYTEST) tests/integration/targets/environment/files

.PHONY: sanity validate integration packaging tarball
sanity: dev stage ## Run ansible-test sanity
	@skipped=$$($(VENV)/bin/python tests/tools/seed_ansible_test.py "$(RESULTS)") || exit 1; \
	cd $(COPY) && $(call ANSIBLE_TEST,sanity) --junit $$skipped; $(call KEEP_RESULTS,sanity)

validate: dev stage ## Check documentation and arguments of modules and plugins with ansible-test
	@$(VENV)/bin/python tests/tools/seed_ansible_test.py "$(RESULTS)" > /dev/null; \
	cd $(COPY) && $(call ANSIBLE_TEST,sanity) --junit --test validate-modules; $(call KEEP_RESULTS,sanity)

TARGETS = $(filter-out setup_%,$(notdir $(wildcard tests/integration/targets/*)))
integration: $(TARGETS:%=integration/%) ## Run the integration targets with ansible-test; for one target: make integration/<target>

integration/%: dev stage
	@cd $(COPY) && $(call ANSIBLE_TEST,integration) $*

tarball: dev install ## Check the content of the tarball, and run the installed collection
	@cd tests/system/packaging && PACKAGE="$(ROOT)$(STAGE)" $(PYTEST) test_package.py

packaging: dev install ## Check the tarball, also with the oldest ansible-core, an execution environment and galaxy-importer
	@cd tests/system/packaging && PACKAGE="$(ROOT)$(STAGE)" $(PYTEST) -m '' .

# ---- Maintenance

.PHONY: format generate matrix release clean
format: dev ## Format the code, and apply the fixes of ruff
	@ruff format . && ruff check --fix .

generate: dev stage ## Generate the pages of tables, the checks of login_check and the list of public names
	@python -m qlik_sense_simulator.evidence docs/docsite/rst/evidence.rst
	@PYTHONPATH="$(ROOT)$(STAGE)" python tests/tools/login_check_docs.py
	@PYTHONPATH="$(ROOT)$(STAGE)" python tests/tools/reference_pages.py docs/docsite/rst
	@$(MAKE) --no-print-directory stage
	@PYTHONPATH="$(ROOT)$(STAGE)" python $(COPY)/tests/tools/public_names.py tests/public_names.txt

# Releases of ansible-core, each with a Python for it. "stable" and "pre" are the newest that the package index has.
MATRIX ?= 2.16:3.11 2.18:3.11 2.19:3.11 stable:3.13 pre:3.13
MATRIX_STEPS ?= sanity units $(addprefix integration/,jwt_virtual_proxy login_check lookup_jwt inventory_site \
  playbook_drift role_smoke_test role_key_rotation role_follow_jwks role_promotion)

.PHONY: matrix-integration
matrix-integration:
	@echo $(filter integration/%,$(MATRIX_STEPS))

matrix: venv ## Run sanity, unit and integration tests with old and new releases of Ansible; for one entry: MATRIX=2.16:3.11
	@$(VENV)/bin/python tests/tools/matrix.py --make "$(MAKE)" --lanes $(LANES) --venv $(VENV) --stage $(STAGE) \
	  --entries "$(MATRIX)" $(MATRIX_STEPS)

# Repeat it for the same version: make release AGAIN=--update-existing
release: dev stage ## Write the changelog of the version in galaxy.yml
	@cd $(COPY) && python tests/tools/release.py $(AGAIN)
	@cp $(COPY)/CHANGELOG.md . && rm -rf changelogs && cp -R $(COPY)/changelogs changelogs

clean: ## Remove all files that make has written
	rm -rf $(VENV) $(VENV)-* $(STAGE) $(STAGE)-* .demo .site* .ruff_cache .mypy_cache .pytest_cache tests/simulator/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
