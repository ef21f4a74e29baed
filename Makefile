# belswitch: two commands matter, `make run` and `make test`. Both prepare .venv from the locked versions themselves.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
CODE := switch rating emergency tests
SEED ?= 1
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV ?= $(shell command -v uv || echo $(BIN)/uv)
UV_COMPILE = printf 'hatchling\neditables\n' | $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)

# In CI a foreign SIP stack that is missing is a failure, not a skip.
ifneq ($(filter-out 0 false,$(CI)),)
export BELSWITCH_REQUIRE_PEERS := 1
endif

.PHONY: help run test check lint format sim interop bench lock clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(VENV)/.run ## the lab: the switch on 127.0.0.1:5060 with three lines, a carrier and an emergency centre
	@$(BIN)/belswitch lab

test: lint ## everything: format, ruff, mypy, import contracts, all tests with foreign SIP stacks
	@tests/interop/install-peers.sh
	$(BIN)/python -m pytest -m "not interop" -n auto --dist loadfile $(PYTEST)
	$(BIN)/python -m pytest -m interop $(PYTEST)

check: test ## the same

lint: $(VENV)/.test ## format, ruff, mypy --strict, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(CODE)
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.test ## put the sources in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

sim: $(VENV)/.test ## one simulated day of faults: make sim SEED=7
	$(BIN)/python -m tests.sim --seed $(SEED)

interop: $(VENV)/.test ## only the tests against SIPp, baresip and pyVoIP
	@tests/interop/install-peers.sh
	$(BIN)/python -m pytest -m interop $(PYTEST)

bench: $(VENV)/.test ## figures: time per call, register and packet; memory
	@tests/interop/install-peers.sh
	$(BIN)/python -m tests.bench

lock: ## write the lock files anew, keeping what still fits; make lock UPGRADE=--upgrade takes the newest
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(UV_COMPILE) --extra media --output-file requirements.lock pyproject.toml - >/dev/null
	$(UV_COMPILE) --extra lab --extra media --constraint requirements.lock --output-file requirements-lab.lock \
	    pyproject.toml - >/dev/null
	$(UV_COMPILE) --extra test --constraint requirements-lab.lock --output-file requirements-test.lock pyproject.toml - >/dev/null

clean: ## away with .venv and every cache
	rm -rf $(VENV) build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# Tried by running it: a pyenv shim may stand on the PATH for a version that is not there.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3; do \
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	        if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	            version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	            echo "$$python has no venv module; on Debian or Ubuntu: apt-get install python$$version-venv" >&2; exit 1; \
	        fi; \
	        "$$python" -m venv $(VENV); exit 0; \
	    fi; \
	done; \
	echo "Python 3.11, 3.12 or 3.13 is needed; on Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1

# Installed exactly as locked, checksums and all; the stamp makes the next run instant.
define install
	@echo "installing $< into $(VENV)"
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.run: requirements-lab.lock pyproject.toml | $(BIN)/python
	$(install)

$(VENV)/.test: requirements-test.lock pyproject.toml | $(BIN)/python
	$(install)
