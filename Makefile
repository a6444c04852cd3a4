PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check format screenshots bench clean

demo: $(VENV)/.demo  ## set up, open the cockpit and train the built-in example
	$(BIN)/lightning-tui demo

test: $(VENV)/.test  ## set up and run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.test  ## format, lint, types, borders: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.test  ## draw screenshots/ again
	$(BIN)/python tools/screenshots.py

bench: $(VENV)/.test  ## measure, and write docs/performance.md
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first: later steps then find it there and take no other build.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) -e '.[train]'
	touch $@

# DeepSpeed is built from its source against torch; where that fails, the tests of its strategy objects are skipped.
$(VENV)/.test: $(VENV)/.demo
	$(PIP) -e '.[train,test]'
	-$(PIP) --no-build-isolation deepspeed
	touch $@
