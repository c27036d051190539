# One command each. Nothing but make and a python3 (3.11 to 3.13) is needed to begin.
.DEFAULT_GOAL := help
.PHONY: help install serve test check format soak bench plots lock clean
SHELL := /bin/sh

PORT ?= 8081
DATA_DIR ?= .data
CONFIG ?= langgraph.json
ARGS ?=
ROUNDS ?= 10
TEST_PROCESSES ?= 2
UV ?= uv

PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --quiet --disable-pip-version-check
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(SUPPORTED)' 2>/dev/null && { command -v "$$p"; break; }; done)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

install: .venv/.installed ## Make .venv with the locked dependencies

serve: .venv/.installed ## Serve ./langgraph.json on http://127.0.0.1:8081 (PORT=9000 chooses another port)
	@exec $(PY) -m robyn_server serve --config "$(CONFIG)" --port "$(PORT)" --data-dir "$(DATA_DIR)" $(ARGS)

test: .venv/.installed-dev ## Run every test once (ARGS="-k name" chooses some; TEST_PROCESSES=0 shows them one by one)
	@sh tests/ensure_services.sh
	@$(PY) -m pytest -m "not soak" -n $(TEST_PROCESSES) --no-loadscope-reorder $(ARGS)

check: .venv/.installed-dev ## Format, lint, types, import contracts, fast tests
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports
	@$(PY) -m pytest -q tests/unit tests/architecture

format: .venv/.installed-dev ## Format the code and repair what ruff can repair
	@$(PY) -m ruff check --fix --quiet .; $(PY) -m ruff format .

soak: .venv/.installed-dev ## Repeat the crash scenes and faults (ROUNDS=10 times; takes a while)
	@sh tests/ensure_services.sh
	@$(PY) -m pytest -m soak --rounds "$(ROUNDS)" $(ARGS)

bench: .venv/.installed-dev ## Measure a server (AGAINST=a git revision puts that one beside it)
	@$(PY) -m bench.run $(if $(AGAINST),--against "$(AGAINST)") $(ARGS)

plots: .venv/.installed-plots ## Measure curves and draw docs/plots (ARGS="--also reference=http://127.0.0.1:9000" adds a server)
	@$(PY) -m bench.curves $(ARGS)

LOCKING := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock"

lock: ## Solve the dependencies anew (needs uv; UPGRADE=--upgrade takes the newest)
	@command -v $(firstword $(UV)) >/dev/null || { echo "make lock needs uv (pip install uv)." >&2; exit 1; }
	$(UV) $(LOCKING) $(UPGRADE) pyproject.toml --group build --output-file requirements.lock
	$(UV) $(LOCKING) $(UPGRADE) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(UV) $(LOCKING) $(UPGRADE) --group plots --constraints requirements-dev.lock --output-file requirements-plots.lock

clean: ## Remove .venv and caches; the data in .data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

.venv/.made:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found on PATH: install one, or name it with make PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c '$(SUPPORTED)' || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: name another with make PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear .venv
	@touch $@

.venv/.installed: .venv/.made requirements.lock pyproject.toml
	@echo "Installing the locked dependencies (once; a minute or so)"
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@echo "Installing what the tests and checks need"
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/.installed-plots: .venv/.installed-dev requirements-plots.lock
	@$(PIP) --require-hashes --requirement requirements-plots.lock
	@touch $@
