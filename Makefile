# `make` lists the targets. Each takes PYTHON=python3.12 for another interpreter.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
BIN    := $(VENV)/bin
# Installed once for each content of the requirements and each interpreter.
STAMP  := $(VENV)/.installed

# The oldest supported Python is tested with the oldest supported SQLAlchemy, the others with the newest.
OLDEST := $(if $(filter python3.11,$(notdir $(PYTHON))),'SQLAlchemy<2')

# Processes that run the tests. More than there are cores: many tests wait for a server.
WORKERS ?= 4

# Selects tests by their markers. By default, setup.cfg does.
MARKERS :=

# Measured by a run of all tests or of all but the slow ones. An empty value leaves it out.
COVERAGE := --cov

.PHONY: help demo test test-slow test-all lint types imports docs checks tests figures unit soak bench venv clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Run the demo: two regions, without AWS (DEMO_ARGS=--exit ends after the last step)
	@$(BIN)/python -m pypicloud_s3sync.demo $(DEMO_ARGS)

# One core is left over while the tests wait for servers.
test: lint ## Run all checks, and all tests but the slow ones
	@$(MAKE) --no-print-directory --jobs=2 checks tests MARKERS='not slow and not soak'

test-slow: $(STAMP) ## Run the slow tests, which `make test` leaves out
	@$(MAKE) --no-print-directory tests MARKERS='slow and not soak' COVERAGE=

# Printed at the end: the tests run meanwhile. They build the documentation, so `docs` is not in this list.
checks: $(STAMP)
	@printed=$$($(MAKE) --no-print-directory imports types 2>&1); status=$$?; echo "$$printed"; exit $$status

# One run per Python; coverage is measured in the first.
test-all: lint checks ## Run all checks, and all tests once on each supported Python
	@coverage=--cov; for version in 3.11 3.12 3.13; do \
	    python=$$($(BIN)/python tests/find_python.py $$version) || exit 1; \
	    echo "Python $$version: $$python"; \
	    $(MAKE) tests PYTHON=$$python COVERAGE=$$coverage || exit 1; \
	    coverage=; \
	done

lint: $(STAMP) ## Check the style with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Check the types with mypy
	$(BIN)/mypy

imports: $(STAMP) ## Check the direction of imports with import-linter
	$(BIN)/lint-imports

# Servers run once for all processes. Coverage has its limit in setup.cfg.
tests: $(STAMP) ## Run all tests (PYTEST_ARGS='tests/integration -k name' selects some)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(if $(MARKERS),-m '$(MARKERS)') $(if $(PYTEST_ARGS),,$(COVERAGE)) $(PYTEST_ARGS)

figures: $(STAMP) ## Measure tests/figures.json again, after a change that must make the bundle larger
	UPDATE_FIGURES=1 $(BIN)/python -m pytest -q -n 0 tests/integration/test_bundle_backends.py -k grow

unit: $(STAMP) ## Run the unit tests, which need no server
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup tests/unit $(PYTEST_ARGS)

# Warnings are errors. The build needs no network.
docs: $(STAMP) ## Build the documentation in build/docs
	@$(BIN)/sphinx-build -q -W --keep-going -n -b html docs build/docs

# One to two hours on two cores. SOAK_ARGS='COUNT [SEED]' sets the number of histories, 100,000 by default.
soak: $(STAMP) ## Run the longest tests, faults, 100,000 random histories, interleavings: one to two hours (SOAK_ARGS=--large: more)
	@$(BIN)/python tests/soak.py $(SOAK_ARGS)

# Compared with pypicloud 1.3.12's own function. The servers are those of the tests.
bench: $(STAMP) ## Measure both sides, and write benchmarks/results.md (BENCH_ARGS='--quick' tries it; '--full' takes hours)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(BENCH_ARGS)

venv: $(STAMP) ## Create the virtual environment in .venv

$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]' $(OLDEST)
	@touch $@

clean: ## Remove everything that make created
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
