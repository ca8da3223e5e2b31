# make demo | make test | make venv    (PYTHON=python3.12 for another interpreter)
PYTHON ?= python3
VENV   := .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
BIN    := $(VENV)/bin
# Installed once for each content of the requirements and each interpreter.
STAMP  := $(VENV)/.installed

.PHONY: demo test lint types imports unit soak venv clean

demo: $(STAMP)
	@$(BIN)/python -m pypicloud_s3sync.demo $(DEMO_ARGS)

test: lint types imports unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# SOAK_ARGS='COUNT [SEED]'; 100,000 histories are the default.
soak: $(STAMP)
	@$(BIN)/python tests/soak.py $(SOAK_ARGS)

venv: $(STAMP)

$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
