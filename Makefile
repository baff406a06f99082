# Start with `make dev`. STACK=prod chooses another stack than dev for up, preview, verify and ui. `make dev CONTEXT=NAME`
# uses the cluster of that kubeconfig context, and writes the name into Pulumi.dev.yaml for all other targets.
STACK  ?= dev
PYTHON ?= python3
RUN    := .venv/bin/python
IMAGE  ?= airflow:$(shell git rev-parse HEAD)
# Only wheels are installed, because building a package downloads build tools without a hash. If a package has no wheel for
# this machine, such as cryptography on a Mac with an Intel processor, WHEELS= allows to build it.
WHEELS ?= --only-binary :all:
INSTALL = -m pip install -q --require-hashes $(WHEELS)
# pip's own error is misleading: it says that a package does not exist if it cannot be downloaded.
NOT_INSTALLED = { echo "error: pip could not install what is needed. Fix: give this machine access to pypi.org, or name\
 a mirror or a proxy: export PIP_INDEX_URL=URL or HTTPS_PROXY=URL. If a package has no wheel for this machine, add\
 WHEELS= to the make command" >&2; exit 1; }

ifeq ($(origin CONTEXT),command line) # a shell variable of this name may mean something else
ifneq ($(MAKECMDGOALS),dev)
$(error CONTEXT=NAME is only for make dev, which writes it into Pulumi.dev.yaml for all other targets)
endif
GIVEN = --context '$(CONTEXT)'
endif

.PHONY: dev up preview verify down ui test fuzz lint bench image load lock pin help

dev: .venv/run                  ## make a local cluster, install Airflow and run a DAG
	$(RUN) -m automation dev $(GIVEN)
up preview verify ui: .venv/run ## deploy STACK; preview what up would change; check it; open Airflow
	$(RUN) -m automation $@ $(STACK)
down: .venv/run                 ## remove what `make dev` made, and nothing else
	$(RUN) -m automation down
test: .venv/test                ## all tests; those that need an engine or a cluster are skipped if there is none
	$(RUN) -m pytest -n auto --dist loadgroup # the tests of the cluster run one after the other
fuzz: .venv/fuzz                ## fuzz the parsers for ten minutes; Linux only
	$(RUN) -m tests.fuzz
lint: .venv/test                ## ruff and mypy
	$(RUN) -m ruff format --check . && $(RUN) -m ruff check . && $(RUN) -m mypy .
	MYPYPATH=.github/scripts $(RUN) -m mypy .github/scripts # mypy skips hidden folders
bench: .venv/run                ## measure, and write benchmarks/README.md
	$(RUN) -m benchmarks
image:                          ## build the Airflow image, named IMAGE; needs Docker
	docker build --pull --tag $(IMAGE) --label org.opencontainers.image.revision=$(shell git rev-parse HEAD) image
load: .venv/run image           ## build it, and copy it into the local cluster of STACK
	$(RUN) -m automation load $(IMAGE) $(STACK)
lock: .venv/run                 ## write image/uv.lock, under Airflow's constraints
	$(RUN) -m image.lock
pin: .venv/run                  ## write plugins.sha256, the digests of the engine's plugins
	$(RUN) -m automation.engine.pin_plugins
help:                           ## list the targets
	@sed -nE 's/^([a-z ]+):[^#]*## (.*)/\1: \2/p' $(firstword $(MAKEFILE_LIST))

.venv/run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; set PYTHON=python3.12 or the like")'
	@echo 'installing the Python packages of the program into .venv; this takes a minute'
	@$(PYTHON) -m venv .venv
	@$(RUN) $(INSTALL) -r requirements.txt || $(NOT_INSTALLED)
	@touch $@
.venv/test: .venv/run requirements-dev.txt .venv/checkov
	@echo 'installing the Python packages of the tests into .venv'
	@$(RUN) $(INSTALL) -r requirements-dev.txt || $(NOT_INSTALLED)
	@touch $@
.venv/fuzz: .venv/test tests/fuzz/requirements.txt
	$(RUN) $(INSTALL) -r tests/fuzz/requirements.txt && touch $@
.venv/checkov: .venv/run requirements-checkov.txt
	$(PYTHON) -m venv $@ && $@/bin/python $(INSTALL) -r requirements-checkov.txt && touch $@ || { rm -rf $@; exit 1; }

.PHONY: policy
policy: .venv/policy            ## install the policy pack, which then judges every `preview` and `up`
# An incomplete environment is removed, because previews would use it.
.venv/policy: .venv/run policy/requirements.txt
	$(PYTHON) -m venv $@ && $@/bin/python $(INSTALL) -r policy/requirements.txt && touch $@ || { rm -rf $@; exit 1; }
