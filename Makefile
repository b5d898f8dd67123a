SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
CLUSTER := uwsgi-autopilot
# Once, so that what is printed is what is run.
FUZZ_SEED := $(or $(FUZZ_SEED),$(shell date +%s))
FUZZ_EXAMPLES ?= 10000
NGINX_IMAGE := nginxinc/nginx-unprivileged:1.28-bookworm
HASHED := --quiet --constraint constraints.txt --generate-hashes --no-emit-index-url --python-version 3.11 --no-header --no-annotate

# $(call need,program,where it comes from)
need = @command -v $(1) >/dev/null || { echo "make $@: $(1) is missing; install it from $(2)"; exit 1; }

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
test: setup lint unit chart component  ## everything that needs no cluster (at most 15 minutes)

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
	$(BIN)/pytest -n 2 -m 'not thorough' tests/unit

.PHONY: chart
chart: setup  ## what helm makes of the chart, no cluster (fetches helm where there is none)
	$(BIN)/pytest tests/chart

.PHONY: component
component: setup  ## real uWSGI and nginx, no cluster
	$(BIN)/pytest -n 4 -m 'not thorough' tests/component

.PHONY: thorough
thorough: setup  ## more seeds, loads and shapes of what the tests above claim (about 5 minutes)
	$(BIN)/pytest -n 2 -m thorough tests/unit tests/component

.PHONY: fuzz
fuzz: setup  ## wrong inputs by the thousand; FUZZ_SEED=7 makes them again, FUZZ_EXAMPLES=100 fewer (at most 30 minutes)
	@echo "make fuzz: FUZZ_SEED=$(FUZZ_SEED) FUZZ_EXAMPLES=$(FUZZ_EXAMPLES)"
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest -n 3 -v -m fuzz --hypothesis-seed=$(FUZZ_SEED) --timeout=2400 \
		tests/reliability/test_sequences.py tests/unit/fuzz tests/component/test_fuzz_nginx.py

.PHONY: chromium
chromium:  ## as root: Chromium for the test of Locust's page, where there is no browser (from apt)
	@tests/install-chromium.sh

.PHONY: bench
bench: setup  ## the screen: the autopilot against a grid of fixed shapes (about 12 minutes)
	@$(BIN)/python -m bench

.PHONY: bench-full
bench-full: setup  ## hours: the gating workloads from three starts, against other servers too; goes on where it stopped
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[rivals]'
	@$(BIN)/python -m bench.full

.PHONY: images
images:  ## build uwsgi-autopilot:dev (the operator) and uwsgi-autopilot-app:dev (the example)
	$(call need,docker,https://docs.docker.com/get-started/get-docker/)
	@docker info >/dev/null 2>&1 || { echo "make $@: docker is installed and its daemon does not answer; start it, or join its group"; exit 1; }
	docker build --quiet --target operator --tag uwsgi-autopilot:dev .
	docker build --quiet --target app --tag uwsgi-autopilot-app:dev .

.PHONY: kind
kind:
	$(call need,kind,https://kind.sigs.k8s.io)
	$(call need,kubectl,https://kubernetes.io/docs/tasks/tools/)
	@tests/e2e/kind-cluster.sh $(CLUSTER)

.PHONY: cluster
cluster: images kind  ## create or reuse a kind cluster with both images in it
	kind load docker-image --name $(CLUSTER) uwsgi-autopilot:dev uwsgi-autopilot-app:dev
	@# Spares the nodes a download. Not every image that was pulled can be loaded (kubernetes-sigs/kind#3795).
	@! docker image inspect $(NGINX_IMAGE) >/dev/null 2>&1 || kind load docker-image --name $(CLUSTER) $(NGINX_IMAGE) \
		|| echo "make cluster: $(NGINX_IMAGE) was not loaded, so the nodes will pull it"

.PHONY: compose-tools
compose-tools:  ## as root: docker compose v2 where it is missing (from apt, else built with Go)
	@tests/e2e/compose-tools.sh

.PHONY: postgresql
postgresql:  ## as root: PostgreSQL's programs for the test of examples/django, where they are missing (from apt)
	@tests/install-postgresql.sh

.PHONY: e2e
e2e:  ## all of it on a real cluster: needs docker, kind, helm and kubectl (about 30 minutes)
	$(call need,docker,https://docs.docker.com/get-started/get-docker/)
	$(call need,kind,https://kind.sigs.k8s.io)
	$(call need,helm,https://helm.sh)
	$(call need,kubectl,https://kubernetes.io/docs/tasks/tools/)
	@$(MAKE) --no-print-directory -j2 setup cluster
	@# Side by side what waits most of the time; then one after the other what is measured under load.
	$(BIN)/pytest -n 3 --dist loadfile -m "not alone and not storm and not upgrade and not kills" tests/chart tests/e2e
	$(BIN)/pytest -m alone tests/e2e

.PHONY: upgrade
upgrade: setup  ## after make e2e: from an earlier commit to this one, back and forward again, under load (about 6 minutes)
	$(BIN)/pytest -m upgrade tests/e2e

.PHONY: kills
kills: setup  ## after make e2e: SIGKILL for each process in turn, under load; what each costs (about 12 minutes)
	$(BIN)/pytest -m kills tests/e2e

.PHONY: storm
storm: setup  ## after make e2e: minutes of random events under load, nothing lost (about 18 minutes; STORM_SEEDS="7 8")
	$(BIN)/pytest -m storm tests/e2e

.PHONY: scale
scale: setup  ## 1,000 applications of three pods in a kind cluster of their own: what the operator needs (about 40 minutes)
	@$(BIN)/python -m tests.reliability.scale

.PHONY: chaos
chaos: setup  ## the API server and the agents do what they should not, one fault after the other (about 15 minutes)
	@$(BIN)/python -m tests.reliability.chaos

.PHONY: requirements
requirements: setup  ## after a change of constraints.txt: what the operator's image installs, with hashes
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip compile $(HASHED) --extra operator --output-file requirements/operator.txt pyproject.toml
	@echo hatchling | $(BIN)/uv pip compile $(HASHED) --output-file requirements/build.txt -

.PHONY: release
release: setup  ## all files of a release into dist/: make release VERSION=0.1.0 REGISTRY=registry.example.com/team
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	@$(BIN)/python -m release $(VERSION) --registry '$(REGISTRY)' $(if $(PYTHON_IMAGE),--python-image $(PYTHON_IMAGE))

.PHONY: clean
clean:  ## remove what the verbs above made
	rm -rf .venv .cache build dist bench/results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
