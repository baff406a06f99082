# Short verbs, one thing each. STACK=prod chooses another stack for up, preview, verify and ui. `make dev CONTEXT=NAME`
# uses the cluster of that kubeconfig context, and keeps it in Pulumi.dev.yaml, where all other verbs find it.
STACK  ?= dev
PYTHON ?= python3
RUN    := .venv/bin/python
IMAGE  ?= airflow:$(shell git rev-parse HEAD)
# A source distribution would fetch what builds it without any hash. WHEELS= allows one, where a package has no wheel for
# this machine (cryptography on a Mac with an Intel processor).
WHEELS ?= --only-binary :all:
INSTALL = -m pip install -q --require-hashes $(WHEELS)
# pip calls a package that it cannot fetch one that does not exist.
NOT_INSTALLED = { echo "error: pip could not install what is needed. Fix: give this machine access to pypi.org, or name\
 a mirror or a proxy: export PIP_INDEX_URL=URL or HTTPS_PROXY=URL. Where a package has no wheel for this machine: add\
 WHEELS= to the command" >&2; exit 1; }

ifeq ($(origin CONTEXT),command line) # a variable of this name in the shell means something else
ifneq ($(MAKECMDGOALS),dev)
$(error CONTEXT=NAME belongs to make dev, which keeps it in Pulumi.dev.yaml, where all other verbs find it)
endif
GIVEN = --context '$(CONTEXT)'
endif

.PHONY: dev up preview verify down ui test fuzz lint bench image load lock

dev: .venv/run                  ## from a clean machine to a finished DAG run
	$(RUN) -m automation dev $(GIVEN)
up preview verify ui: .venv/run ## the same verbs of `python -m automation`
	$(RUN) -m automation $@ $(STACK)
down: .venv/run                 ## remove what `make dev` made, and nothing else
	$(RUN) -m automation down
test: .venv/test                ## all tests; those that need an engine or a cluster run if one is found
	$(RUN) -m pytest -n auto --dist loadgroup # the tests of the cluster run one after the other
fuzz: .venv/fuzz                ## what reads foreign text, for ten minutes; Linux alone
	$(RUN) -m tests.fuzz
lint: .venv/test
	$(RUN) -m ruff format --check . && $(RUN) -m ruff check . && $(RUN) -m mypy .
	MYPYPATH=.github/scripts $(RUN) -m mypy .github/scripts # mypy skips hidden folders
bench: .venv/run
	$(RUN) -m benchmarks
image:                          ## the Airflow image, as $(IMAGE); needs Docker
	docker build --pull --tag $(IMAGE) --label org.opencontainers.image.revision=$(shell git rev-parse HEAD) image
load: .venv/run image           ## the same, copied into the local cluster of STACK
	$(RUN) -m automation load $(IMAGE) $(STACK)
lock: .venv/run                 ## image/uv.lock, under Airflow's constraints
	$(RUN) -m image.lock

.venv/run: requirements.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; set PYTHON=python3.12 or the like")'
	$(PYTHON) -m venv .venv
	$(RUN) $(INSTALL) -r requirements.txt || $(NOT_INSTALLED)
	touch $@
.venv/test: .venv/run requirements-dev.txt .venv/checkov
	$(RUN) $(INSTALL) -r requirements-dev.txt || $(NOT_INSTALLED)
	touch $@
.venv/fuzz: .venv/test tests/fuzz/requirements.txt
	$(RUN) $(INSTALL) -r tests/fuzz/requirements.txt && touch $@
.venv/checkov: .venv/run requirements-checkov.txt
	$(PYTHON) -m venv $@ && $@/bin/python $(INSTALL) -r requirements-checkov.txt && touch $@ || { rm -rf $@; exit 1; }

.PHONY: policy
policy: .venv/policy            ## what the policy pack runs in; with it, the pack judges `preview` and `up`
# An incomplete one must not stay: previews would use it.
.venv/policy: .venv/run policy/requirements.txt
	$(PYTHON) -m venv $@ && $@/bin/python $(INSTALL) -r policy/requirements.txt && touch $@ || { rm -rf $@; exit 1; }
