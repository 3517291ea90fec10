# Every target does its own set-up: a virtual environment beside this file, whatever folder make is called from.
ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
VENV := $(ROOT).venv
BIN := $(VENV)/bin
PYTHON ?= python3
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# else every worker of the tests compiles and rewrites all of them again, each time
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test slow lint types architecture check minimums lint-examples clean

# `make demo`: the real local model, from nothing to a rollback. `make demo RECORDED=1`: the same from recorded answers.
demo: $(VENV)/.demo
	cd $(ROOT) && $(BIN)/promptops demo $(if $(RECORDED),--recorded)

test: $(VENV)/.dev
	cd $(ROOT) && $(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not model" $(ARGS)

slow: $(VENV)/.dev $(VENV)/.demo
	cd $(ROOT) && $(BIN)/python -m pytest -n 2 -m "slow or model" $(ARGS)

lint: $(VENV)/.dev
	cd $(ROOT) && $(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	cd $(ROOT) && $(BIN)/mypy

architecture: $(VENV)/.dev
	cd $(ROOT) && $(BIN)/lint-imports

check: lint types architecture test

# The tests with the lowest versions that pyproject.toml allows, in an environment of their own.
minimums:
	$(PYTHON) -m venv --clear $(ROOT).venv-minimums
	cd $(ROOT) && .venv-minimums/bin/python -m pip --quiet install --upgrade "pip>=25.1"
	cd $(ROOT) && .venv-minimums/bin/python scripts/minimums.py > .venv-minimums/lowest.txt
	cd $(ROOT) && .venv-minimums/bin/python -m pip --quiet install --editable . --group test --constraint .venv-minimums/lowest.txt
	cd $(ROOT) && .venv-minimums/bin/python -m pytest -n 3 --dist worksteal -m "not slow and not model" $(ARGS)

lint-examples: $(VENV)/.dev
	$(BIN)/promptops -C $(ROOT)examples lint

clean:
	rm -rf $(VENV) $(ROOT).venv-minimums

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "promptops needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"

$(VENV)/.demo: $(BIN)/python $(ROOT)pyproject.toml
	@echo "installing promptops and the local model's runtime into .venv"
	$(PIP) install --editable "$(ROOT)[local]"
	@touch $@

$(VENV)/.dev: $(BIN)/python $(ROOT)pyproject.toml
	@echo "installing promptops and its test tools into .venv"
	cd $(ROOT) && $(PIP) install --editable . --group test --group typing --group lint
	@touch $@
