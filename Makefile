SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help
help:  ## list the verbs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: .venv/.done  ## make .venv with the uwsgi-autopilot command, uWSGI and nginx (no compiler needed)

.venv/.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make setup: Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + ". Name one with: make setup PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make setup: $(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "setup: making .venv and installing pinned packages (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[servers,dev]'
	@touch $@

.PHONY: demo
demo: setup  ## watch the example application get faster by itself, at http://localhost:8088
	@$(BIN)/uwsgi-autopilot demo app/uwsgiapp.yaml

.PHONY: test
test: setup lint unit component  ## everything that needs no cluster (at most 12 minutes)

.PHONY: lint
lint: setup  ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: setup  ## let ruff write the format and what it can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: unit
unit: setup  ## tables, properties and replayed stories: no process is started
	$(BIN)/pytest -n 2 tests/unit

.PHONY: component
component: setup  ## real uWSGI and nginx, no cluster
	$(BIN)/pytest -n 3 --dist worksteal tests/component

.PHONY: bench
bench: setup  ## the screen: the autopilot against a grid of fixed shapes (about 10 minutes)
	@$(BIN)/python -m bench

.PHONY: clean
clean:  ## remove what the verbs above made
	rm -rf .venv .cache build dist bench/results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
