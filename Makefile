# The two commands of the README: `make demo` and `make test`. Each works alone on a machine that
# has Python 3.11 or newer, make and git. `make all` is the gate.

PYTHON ?= python3
VENV ?= .venv
STORE ?= .journal
PYTEST_ARGS ?= -n 2

BIN := $(VENV)/bin
# What must be new enough for what: the demo needs no development tools.
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
CODE := journal projections tests $(wildcard docs/examples)

# The same versions for everyone, those of the build backend too (pip reads the second name for
# these since 25.3, the first one before). A relative path: pip cuts this value at spaces.
PIP := PIP_CONSTRAINT=tests/constraints.txt PIP_BUILD_CONSTRAINT=tests/constraints.txt \
       PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

.DEFAULT_GOAL := help
.PHONY: help demo test all format format-check lint types imports security audit bench torture fuzz clean

help:
	@echo 'make demo     make .venv, run docs/examples/localize.py into ./$(STORE), show it'
	@echo 'make test     make .venv with the development tools, run the tests'
	@echo 'make all      the gate: format check, lint, strict types, import contracts, bandit, tests'
	@echo 'make format   rewrite the sources in the one format'
	@echo 'make audit    known vulnerabilities of the dependencies; needs the network'
	@echo 'make bench    measure against the raw loops (docs/performance.md)'
	@echo 'make torture  a million crashes on a simulated disk, faults on real ones, ten minutes'
	@echo 'make fuzz     a million hostile inputs against every parser and the command, five minutes'
	@echo 'make clean    remove .venv and caches; a store is never touched'

demo: $(RUNTIME)
	$(BIN)/journal run --store $(STORE) docs/examples/localize.py:pipeline
	$(BIN)/journal list --store $(STORE)
	$(BIN)/journal show --store $(STORE) @latest
	@echo
	@echo 'Try next (after ". $(BIN)/activate" the command is just: journal):'
	@echo '  $(BIN)/journal events --store $(STORE) @latest --type phase_completed'
	@echo '  $(BIN)/journal show --store $(STORE) @latest@40      # the state after event 40'
	@echo '  $(BIN)/journal verify --store $(STORE)'

test: $(DEV)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

all: format-check lint types imports security test

format: $(DEV)
	$(BIN)/ruff check --select I --fix --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

format-check: $(DEV)
	$(BIN)/ruff format --check $(CODE)

lint: $(DEV)
	$(BIN)/ruff check $(CODE)

types: $(DEV)
	$(BIN)/mypy

imports: $(DEV)
	$(BIN)/lint-imports --no-logo

# What can be looked at without a network; the rest of it is in tests/security.
security: $(DEV)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive journal projections
	$(BIN)/python -m pip check

# Known vulnerabilities of what is installed here: asks a service, so it is no part of the gate.
audit: $(DEV)
	$(BIN)/python -m pip_audit --version >/dev/null 2>&1 || $(PIP) install --quiet pip-audit
	$(BIN)/python -m pip_audit --local --skip-editable --progress-spinner off

bench: $(DEV)
	$(BIN)/python -m tests.benchmarks

torture: $(DEV)
	$(BIN)/python -m tests.torture

fuzz: $(DEV)
	$(BIN)/python -m tests.fuzz

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find journal projections tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched last: an install that was interrupted is done again.
$(RUNTIME): pyproject.toml tests/constraints.txt
	$(ensure-venv)
	$(PIP) install --quiet --editable .
	@touch $@

$(DEV): pyproject.toml tests/constraints.txt
	$(ensure-venv)
	$(PIP) install --quiet --editable '.[dev]'
	@touch $@ $(RUNTIME)

# Takes the virtual environment that is there if it is whole, else makes one from $(PYTHON) or
# from the first newer interpreter with a usual name.
new-enough = -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
define ensure-venv
@if $(BIN)/python $(new-enough) && $(BIN)/python -c 'import pip' 2>/dev/null; then exit 0; fi; \
for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
    if $$python $(new-enough); then \
        echo "Making $(VENV) with $$python ($$($$python --version))"; \
        exec $$python -m venv --clear $(VENV); \
    fi; \
    if [ "$$python" = '$(PYTHON)' ]; then \
        found=$$($(PYTHON) --version 2>&1) || found='not there'; \
        echo "run-journal needs Python 3.11 or newer; $(PYTHON) is $$found. Looking for a newer one." >&2; \
    fi; \
done; \
echo 'No Python 3.11 or newer found. Name one: make PYTHON=/path/to/python3.12 ...' >&2; exit 1
endef
