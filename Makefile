# One command for each job; CI runs the same ones. `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin
# Where the data shared between checkouts lies; tests that need it are skipped, and counted, without it.
MANJHA_SHARED ?= ../shared
# Beside pytest's own flags, e.g. make test PYTEST_ARGS="-k charges"
PYTEST_ARGS ?=
# Two processes, each test file in one of them; `make test PARALLEL=` runs all in one.
PARALLEL ?= -n 2 --dist loadfile
# Days of chance are divided among processes by themselves.
PARALLEL_SEEDS ?= -n 2
# Small linear algebra is slower on many threads, and parallel test runs would fight for the cores.
OMP_NUM_THREADS ?= 1
export PYTHON MANJHA_SHARED OMP_NUM_THREADS

# numba keeps compiled kernels beside the source; where that is read-only (an installed image), in the user's cache.
ifeq ($(NUMBA_CACHE_DIR),)
ifneq ($(shell test -w src/manjha && echo yes),yes)
export NUMBA_CACHE_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/manjha/numba
endif
endif

# What an installation compiles, where there is a C compiler.
BUILT := hatch_build.py src/manjha/strategy/_reader.c

# Only what exists: packages appear one by one.
CODE := $(wildcard src tests benchmarks)

.PHONY: help run setup test quick check simulate crash day powercut lint types imports tidy audit cov fmt lock bench clean distclean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: .venv/.run ## Install what users need and run the demonstration
	@$(BIN)/manjha up

setup: .venv/.dev ## Install the development environment

test: .venv/.dev .tools/official/.made ## Run all the tests
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

quick: .venv/.dev ## Run the unit, property and contract tests that take under two minutes together
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not shared" tests/unit tests/property tests/contract tests/tidy $(PYTEST_ARGS)

check: .venv/.dev ## Everything the gate asks: lint, types, import contracts, tidy, audit, all the tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory imports
	@$(MAKE) --no-print-directory tidy
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory test

lint: .venv/.dev ## Check style and layout
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: .venv/.dev ## Check types, strictly
	$(BIN)/mypy $(CODE)

imports: .venv/.dev ## Check who imports whom (.importlinter)
	$(BIN)/python -m pytest -q tests/tidy/test_contracts.py

tidy: .venv/.dev ## Check the rules that only our own tests know
	$(BIN)/python -m pytest -q tests/tidy/test_tidy.py

audit: .venv/.dev ## Look for insecure calls and for dependencies that are missing or not used
	$(BIN)/bandit -q -c pyproject.toml -r src
	$(BIN)/deptry src

simulate: .venv/.dev ## Live SEEDS days by chance (2,000 unless given): make simulate SEEDS=200000
	SEEDS=$(or $(SEEDS),2000) $(BIN)/python -m pytest $(PARALLEL_SEEDS) tests/simulation/test_days.py $(PYTEST_ARGS)

crash: .venv/.dev ## Kill a trader KILLS times (100 unless given) while its broker lives on: make crash KILLS=5000
	KILLS=$(or $(KILLS),100) $(BIN)/python -m pytest -n 0 tests/crash/test_broker_crash.py tests/crash/test_paper_crash.py $(PYTEST_ARGS)

day: .venv/.dev ## Live DAYS trading days (1 unless given) of SEED (7) at SPEED times real time (360): make day SEED=11
	SEED=$(or $(SEED),7) DAYS=$(or $(DAYS),1) SPEED=$(or $(SPEED),360) $(BIN)/python -m pytest -n 0 tests/e2e/test_whole_day.py $(PYTEST_ARGS)

powercut: .venv/.dev ## Cut the power CUTS times (2,000 unless given) while a journal is written: make powercut CUTS=20000
	CUTS=$(or $(CUTS),2000) $(BIN)/python -m pytest -n 0 tests/crash/test_power_cuts.py $(PYTEST_ARGS)

cov: .venv/.dev ## Run the tests and report branch coverage
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

fmt: .venv/.dev ## Lay out the code and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

lock: .venv/.dev ## Resolve the dependencies anew and write requirements/
	.ci/lock $(LOCK_ARGS)

bench: .venv/.dev ## Measure our workloads
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean: ## Remove caches and reports, keep the environments
	rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environments as well
	rm -rf .venv .tools

.venv/.run: pyproject.toml requirements/run.txt requirements/build.txt .ci/env $(BUILT)
	@.ci/env run

.venv/.dev: pyproject.toml requirements/dev.txt requirements/build.txt .ci/env $(BUILT)
	@.ci/env dev

# Without a network their tests are skipped, and counted.
.tools/official/.made: tests/official/requirements.txt tests/official/package-lock.json .ci/env
	@.ci/env official || echo "The official Kite clients could not be installed: their tests will be skipped." >&2
