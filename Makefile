# Needs Python 3.11 or newer, make and git. Everything else goes into .venv, or comes from apt.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
BIN := .venv/bin
RUN := .venv/.run-installed
DEV := .venv/.dev-installed
# Some tests wait for servers and for the browser: one more than there are cores keeps these at work.
WORKERS := $(shell echo $$(($$(nproc 2>/dev/null || echo 1) + 1)))
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install
# A new pip takes half as long as the one that Python brings; hatchling builds the package without a further venv.
TOOLS := --upgrade pip hatchling editables

# Where nothing is kept compiled, every start of the program compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: scan test pytest browser multitool check generate bench verify mutants clean help

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

scan: $(RUN)  ## scan the demo organisation into out/
	@$(BIN)/gke-auditor scan demo --waivers auditor/demo/waivers.yaml \
		--output html=out/report.html --output sarif=out/report.sarif --output json=out/report.json; \
	status=$$?; if [ $$status -eq 2 ]; then exit 2; fi

test:  ## everything that CI runs
	@$(MAKE) --no-print-directory --jobs=4 check pytest

pytest: $(DEV) browser multitool
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

browser:
	@sh tests/install-browser.sh

multitool:
	@sh tests/install-multitool.sh

check: $(DEV)  ## format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: $(DEV)  ## rule documentation, schemas, the demo organisation
	$(BIN)/gke-auditor rules docs
	$(BIN)/gke-auditor rules schema --output rules/rule.schema.json
	$(BIN)/python -m benchmarks.demo

bench: $(DEV)  ## measure against the budgets
	$(BIN)/python -m benchmarks.run

verify: $(DEV)  ## compare the firewall analysis with the naive simulator for some minutes
	$(BIN)/python -m tests.firewall.verify --seconds 180

mutants: $(DEV)  ## break the firewall analysis on purpose; the tests must notice each time
	$(BIN)/python -m tests.firewall.mutants

clean:  ## remove what make made
	rm -rf .venv out

# Debian splits venv off Python; the second try installs it where that is possible.
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found" >&2; echo "hint: install one, or call make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; sh tests/apt-install.sh python3-venv && $(PYTHON) -m venv .venv; } || \
		{ rm -rf .venv; echo "error: $(PYTHON) cannot make a virtual environment" >&2; echo "hint: apt-get install python3-venv" >&2; exit 2; }

$(RUN): .venv/bin/python pyproject.toml
	@echo "installing into .venv ..."
	@$(INSTALL) $(TOOLS)
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(DEV): .venv/bin/python pyproject.toml
	@echo "installing into .venv, with what development needs ..."
	@$(INSTALL) $(TOOLS)
	@$(INSTALL) --no-build-isolation --no-compile --editable '.[dev,terraform]'  # the tests compile what they import
	@touch $(RUN) $@
