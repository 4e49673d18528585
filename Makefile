# Everything a newcomer types. Nothing has to be installed by hand: each target makes the environment
# it needs in .venv, once, and again when the pins change.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Modules are compiled when they are first imported: compiling all of them takes half of an installation. Where
# Python is told to write nothing, as in many containers, each process would do it anew.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check $(if $(PYTHONDONTWRITEBYTECODE),,--no-compile)
PIP    := $(BIN)/python $(PIP_INSTALL) --constraint constraints.txt
CODE   := pipelines processing training evaluation registry automation studio aws_formats sagemaker_local benchmarks examples tests setup.py

# The image's Python, where one is to be found; else the one that runs the rest, and a test says so.
IMAGE_VENV   := .venv-image
IMAGE_PYTHON ?= $(shell for found in python3.12 $(wildcard $(HOME)/.pyenv/versions/3.12.*/bin/python) $(PYTHON); \
                  do "$$found" -c '' 2>/dev/null && { echo "$$found"; break; }; done)

.PHONY: help environments run test test-long test-image test-browser screenshots lint types imports stress bench guard \
        format clean

help:
	@echo "make run           the whole pipeline on real data, to a registered version (project health-tumor-diagnosis)"
	@echo "make test          lint, types, import contracts and every test but those of the next three"
	@echo "make test-long     days of deployed versions, and thousands of simulated models at the gate (two minutes)"
	@echo "make test-image    programs and serving code with the Python, libraries and serving software of AWS's image"
	@echo "make test-browser  the pages in a real Chromium, which must be installed already"
	@echo "make screenshots   the pictures of README and docs, by the same tests"
	@echo "make stress        240 runs of the preprocessing program on busy cores: does one of them abort? (about 10 minutes)"
	@echo "make bench         the benchmarks into benchmarks/results.md, each figure a ratio measured in one run (about an hour)"
	@echo "make guard         the short run of CI: has one of six ratios become much worse? (under a minute)"
	@echo "make format        rewrite the code in the project's format"
	@echo "make clean         remove the environment and the local SageMaker's state"

# What the tests need; CI makes both at once.
environments: $(VENV)/.development $(IMAGE_VENV)/.installed

run: $(VENV)/.runtime
	@$(BIN)/gatehouse run
	@command -v gatehouse >/dev/null || echo "            after: . $(BIN)/activate   (puts gatehouse on the PATH)"

# Four at once on two cores: a third of the time tests wait, for processes that start and files that become durable.
test: lint types imports
	$(BIN)/python -m pytest -n 4 --dist loadfile

test-long: $(VENV)/.development
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/deployed tests/simulations

test-image: $(VENV)/.development $(IMAGE_VENV)/.installed
	$(BIN)/python -m pytest tests/image

test-browser: $(VENV)/.development
	$(BIN)/python -m pytest tests/browser

screenshots: $(VENV)/.development
	$(BIN)/python -m pytest tests/browser -k pictures --pictures docs/images

lint: $(VENV)/.development
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(VENV)/.development
	$(BIN)/mypy

imports: $(VENV)/.development
	$(BIN)/lint-imports

stress: $(VENV)/.development
	$(BIN)/python tests/programs/exit_runs.py

bench: $(VENV)/.benchmarks
	$(BIN)/python -m benchmarks

guard: $(VENV)/.development
	$(BIN)/python -m benchmarks guard

format: $(VENV)/.development
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:
	rm -rf $(VENV) $(IMAGE_VENV) .gatehouse

# A stamp is written last, so an installation that broke off is done again.
$(VENV)/.runtime: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing the runtime into $(VENV): 1.8 GB, one to three minutes the first time."
	@$(PIP) --editable . && touch $@

$(VENV)/.development: setup.py constraints.txt | $(VENV)/bin/python
	@echo "Installing the runtime and the development tools into $(VENV): 1.9 GB, one to three minutes the first time."
	@$(PIP) --editable '.[dev]' && touch $@ $(VENV)/.runtime

$(VENV)/.benchmarks: benchmarks/requirements.txt $(VENV)/.development
	@$(BIN)/python $(PIP_INSTALL) --requirement $< && touch $@

# pip and setuptools are the image's, too. The serving toolkit is a source package with a small C extension.
$(IMAGE_VENV)/.installed: tests/image/requirements.txt
	@echo "Installing what AWS's image holds into $(IMAGE_VENV): 0.9 GB, about a minute the first time."
	@$(IMAGE_PYTHON) -m venv --clear $(IMAGE_VENV)
	@$(IMAGE_VENV)/bin/python $(PIP_INSTALL) pip==26.1 setuptools==80.10.2
	@$(IMAGE_VENV)/bin/python $(PIP_INSTALL) --no-deps --no-build-isolation --requirement $< && touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Gatehouse needs Python 3.11 or newer; found $$($(PYTHON) -V). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
