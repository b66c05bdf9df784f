# `make run` serves the demo, `make test` checks everything a change must pass. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
BIND ?= 127.0.0.1:8000
SECONDS ?= 30
CLIENTS ?= 100000
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
TYPED := -p gunicorn -p bench

.DEFAULT_GOAL := help
.PHONY: help run test lint types unit integration differential frameworks soak fuzz bench bench-quick docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: $(VENV)/.run ## serve examples/demo on 127.0.0.1:8000 (BIND=HOST:PORT for another address)
	@echo "demo: http://$(BIND)/  (Ctrl-C stops it)"
	@cd examples/demo && exec $(abspath $(BIN))/gunicorn --bind $(BIND)

test: lint types unit ## lint, formatting, types and unit tests

lint: $(VENV)/.dev ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy --strict $(TYPED)

unit: $(VENV)/.dev ## unit tests
	$(BIN)/python -m pytest tests/unit tests/fuzz -q

integration: $(VENV)/.dev ## tests against real processes (nginx, if installed, in front)
	$(BIN)/python -m pytest tests/integration -q --ignore=tests/integration/test_differential.py

differential: $(VENV)/.dev ## every request of the corpus against every worker class
	$(BIN)/python -m pytest tests/integration/test_differential.py -q

frameworks: $(VENV)/.frameworks ## FastAPI, Starlette, Django, Quart, Litestar and BlackSheep on the asgi worker
	$(BIN)/python -m pytest tests/frameworks -q

soak: $(VENV)/.dev ## CLIENTS=100000 clients that break off in every phase: nothing may be left of them
	$(BIN)/python -m tests.soak.run --requests $(CLIENTS) --loop auto

fuzz: $(VENV)/.dev ## each fuzz target for SECONDS=30
	@failed=0; for target in fuzz/fuzz_*.py; do \
		echo "$$target --seconds $(SECONDS)"; $(BIN)/python $$target --seconds $(SECONDS) || failed=1; done; exit $$failed

bench: $(VENV)/.dev ## all workloads against all peers (a good hour); results in bench/results
	$(BIN)/python -m bench.run

bench-quick: $(VENV)/.dev ## short rounds, few workloads, nothing written to bench/results
	$(BIN)/python -m bench.run --quick

docs: $(VENV)/.dev ## print every generated document again from its table
	$(BIN)/python -m tests.unit.house.faces

clean: ## remove environments, caches and build products
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is remade only when pyproject.toml changed.
$(BIN)/python:
	@set -e; found=; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11 or newer is needed and was not found; install it or say where: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	echo "making $(VENV) with $$found ($$($$found --version))"; $$found -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "installing the package into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing the package and its development tools into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.frameworks: pyproject.toml | $(BIN)/python
	@echo "installing the package, its development tools and the frameworks into $(VENV)"
	@$(PIP) --editable '.[dev,frameworks]'
	@touch $@ $(VENV)/.dev $(VENV)/.run
