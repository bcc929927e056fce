# The chores of the project, one target each. `make` alone lists them.

# Settings, all optional: make train EPOCHS=1 SEED=3 DEVICE=cpu OUT=runs/try DATA_DIR=~/data PYTHON=python3.12
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN        := $(VENV)/bin
TRAIN_ARGS := $(strip $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(SEED),--seed $(SEED)) $(if $(DEVICE),--device $(DEVICE)) \
              $(if $(OUT),--out $(OUT)) $(if $(DATA_DIR),--data-dir $(DATA_DIR)) $(ARGS))

.DEFAULT_GOAL := help
.PHONY: help train test test-oldest test-gpu examples pictures bench bench-all bench-gpu lint format clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18
	@echo 'settings: EPOCHS= SEED= DEVICE= OUT= DATA_DIR= for train, ARGS= for train, tests and benchmarks, PYTHON= for all'

train: $(VENV)/.installed  ## install into .venv, download Fashion-MNIST, train LeNet for 10 epochs
	$(BIN)/minitorch-cnn train $(TRAIN_ARGS)

test: lint  ## lint, then every test; against PyTorch, on NumPy and on the stand-in for CuPy
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 $(ARGS)

test-oldest:  ## the tests with the oldest versions that setup.cfg allows; PYTHON=python3.10
	$(PYTHON) .ci/oldest

test-gpu:  ## the tests on the GPU, with the python3 at hand: no environment, no download
	MINITORCH_CNN_TEST_DEVICE=cuda $(PYTHON) -m pytest -p no:cacheprovider tests $(ARGS)

examples: $(VENV)/.installed  ## run every example; pictures in pictures/, or OUT=folder; ARGS=--dark for a dark page
	set -e; for script in $(filter-out examples/00%,$(wildcard examples/[0-9]*.py)); do \
	    $(BIN)/python $$script $(or $(OUT),pictures) $(ARGS); done

pictures: $(VENV)/.installed  ## draw the pictures of docs/ that no benchmark makes
	$(BIN)/python docs/pictures.py $(ARGS)

bench: $(VENV)/.installed-test  ## one LeNet training step, side by side with PyTorch
	$(BIN)/python benchmarks/lenet_step.py --quick $(ARGS)

bench-all: $(VENV)/.installed-test  ## every benchmark, other frameworks too, and docs/benchmarks.md from the results
	-$(BIN)/python benchmarks/environments.py
	set -e; for name in lenet_step busy chapter epoch layers overhead floor; do $(BIN)/python benchmarks/$$name.py; done
	$(BIN)/python benchmarks/report.py

bench-gpu:  ## LeNet on the GPU beside PyTorch, with the python3 at hand: no environment, no download
	PYTHONPATH=. $(PYTHON) benchmarks/gpu.py $(ARGS)

lint: $(VENV)/.installed-test  ## ruff: the rules and the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test  ## ruff: mend what it can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and the caches; runs and data stay
	rm -rf $(VENV) .venv-bench .venv-oldest build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Stamps: installed once, and again when the packaging changes.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@
