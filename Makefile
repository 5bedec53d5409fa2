# Each of these is a few lines that you could type yourself.
#   make up      starts the whole system here and keeps it running until Ctrl-C
#   make demo    uploads a dozen drawn pictures and shows their way; PICTURES=folder takes yours
#   make test    runs the tests that need no cluster; PATTERN='resume or tus' takes those of such names
#   make test-fast   runs the quick ones that need neither browser nor a running system      make soak   runs the long rounds of faults and fuzzing
#   make check   formatter, linter, types, import rules, the manifests' schemas and security, licences
#   make check-next-dagster  runs the tests of Dagster's private names with the newest Dagster, in an environment of its own
#   make sbom    writes what is shipped, with licences, to dist/sbom.cdx.json (CycloneDX) and dist/NOTICE
#   make bench   measures, and prints the table; RECORD=1 writes the figures to bench/floors.json,
#                and CHECK=1 fails if one is worse than there
#   make images  builds the container images
#   make test-cluster LOAD='kind load docker-image'   builds, loads and tests them in KUBECONFIG's cluster, which is wiped
#   make clean   removes everything that was built, and no data
# PYTHON=python3.12 names the Python that .venv is made with.

VENV := .venv
BIN := $(VENV)/bin
CHECKOV := .venv-checkov
NEXT_DAGSTER := .venv-next-dagster
KUBERNETES := 1.34
VERSION_NOW := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# to which tests/whole_system/cluster/install/test_upgrade.py goes
NEXT := 0.1.1
TEST_IMAGES := $(foreach version,$(VERSION_NOW) $(NEXT),imagomortis:$(version) imagomortis-webui:$(version))
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --compile
NEXT_PIP = $(NEXT_DAGSTER)/bin/python -m pip install --quiet --disable-pip-version-check
# what is missing is made by one `make` at a time, where flock is: two at once would install into the same folder
ENSURE = +@$(if $(shell command -v flock),flock Makefile) $(MAKE) --no-print-directory $(JOBS) ready GOAL=$@ NEEDS=
# compiled once, and not by each of the hundreds of processes that the tests start
unexport PYTHONDONTWRITEBYTECODE
PAGE_SOURCES := $(shell find webui -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path 'webui/e2e/*')

TEST = $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(if $(PATTERN),-k "$(PATTERN)")

.PHONY: up demo test test-fast soak check check-next-dagster sbom bench images test-cluster clean ready

up:
	$(ENSURE)"$(VENV)/run.stamp webui/dist/index.html"
	@exec $(BIN)/imagomortis up

demo:
	$(ENSURE)"$(VENV)/run.stamp webui/dist/index.html"
	@exec $(BIN)/imagomortis demo $(if $(PICTURES),"$(PICTURES)")

# tests that start a browser or a system wait for half of their time, so three processes share two processors
test: PROCESSES := 3
test:
	$(ENSURE)"$(VENV)/dev.stamp $(CHECKOV)/stamp webui/dist/index.html"
	$(TEST) -m "not cluster and not soak"

test-fast: PROCESSES := 2
test-fast:
	$(ENSURE)"$(VENV)/dev.stamp $(CHECKOV)/stamp webui/dist/index.html"
	$(TEST) -m "not cluster and not soak and not browser and not stack and not slow"

soak:
	$(ENSURE)"$(VENV)/soak.stamp webui/dist/index.html"
	$(BIN)/pytest -m soak

# into two folders at once
check: JOBS := --jobs=2
check:
	$(ENSURE)"$(VENV)/dev.stamp $(CHECKOV)/stamp"
	@$(MAKE) --no-print-directory $(JOBS) --keep-going $(TOGETHER) $(CHECKS)

# the longest first
CHECKS := $(addprefix check-,types manifests-security manifests-schemas licences imports rules format)
# what a check says is printed when it ends, where `make` can do that
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
.PHONY: $(CHECKS)

check-format:
	$(BIN)/ruff format --check .

check-rules:
	$(BIN)/ruff check .

check-types:
	$(BIN)/mypy

check-imports:
	$(BIN)/lint-imports

check-manifests-schemas:
	$(BIN)/kubernetes-validate --quiet --strict -k $(KUBERNETES) deploy/k8s/*.yaml deploy/*.yaml

check-manifests-security:
	$(CHECKOV)/bin/checkov

check-licences:
	$(BIN)/python requirements/licences.py check

check-next-dagster: | $(VENV)/bin/python
	$(VENV)/bin/python -m venv --clear $(NEXT_DAGSTER)
	$(NEXT_PIP) --no-deps --require-hashes -r requirements/run.txt
	$(NEXT_PIP) --no-deps --require-hashes -r requirements/build.txt
	$(NEXT_PIP) --no-deps --require-hashes -r requirements/dev.txt
	$(NEXT_PIP) --no-deps --no-build-isolation --editable .
	$(NEXT_PIP) --upgrade dagster dagster-k8s dagster-postgres dagster-webserver
	$(NEXT_DAGSTER)/bin/pytest $(addprefix tests/imagomortis_pipeline/,dagster_internals upkeep/test_exporter.py upkeep/test_retention.py)

sbom:
	$(ENSURE)"$(VENV)/dev.stamp"
	@mkdir -p dist
	$(BIN)/python requirements/licences.py sbom > dist/sbom.cdx.json
	$(BIN)/python requirements/licences.py notice > dist/NOTICE

bench:
	$(ENSURE)"$(VENV)/dev.stamp webui/dist/index.html"
	$(BIN)/python -m bench --clone $(if $(CHECK),--check) $(if $(RECORD),--record)

images:
	@deploy/images/build

test-cluster: $(VENV)/dev.stamp images
	@VERSION=$(NEXT) deploy/images/build
	$(if $(LOAD),for image in $(TEST_IMAGES); do $(LOAD) $$image || exit; done)
	$(BIN)/pytest -m cluster tests/whole_system/cluster

clean:
	rm -rf $(VENV) $(CHECKOV) $(NEXT_DAGSTER) webui/dist webui/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ready: $(NEEDS)
	@:

$(VENV)/bin/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	    then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "ImagoMortis needs Python 3.11, 3.12 or 3.13 with its venv module (on Debian the package python3-venv)," >&2; \
	echo "and found none. Install one, or name it: make $(or $(GOAL),$(MAKECMDGOALS),up) PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(VENV)/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements/run.txt
	$(INSTALL) --require-hashes -r requirements/build.txt
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/soak.stamp: requirements/soak.txt $(VENV)/dev.stamp
	$(INSTALL) --require-hashes -r requirements/soak.txt
	@touch $@

$(CHECKOV)/stamp: requirements/checkov.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

webui/dist/index.html: $(PAGE_SOURCES) | $(VENV)/bin/python
	webui/build $(BIN)/python
