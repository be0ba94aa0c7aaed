# DSIR Registration. On a fresh machine with python3 and make: `make demo`.

PYTHON ?= python3
VENV := .venv
DSIR := $(VENV)/bin/dsir

# The torch the figures were made with, from the ordinary index; installed first, so that nothing else chooses one.
TORCH ?= torch==2.13.0
EXTRAS ?= batch,demo,rt,train,test

# Debian packages: what a virtual environment needs, and what the tests need on top (off-screen rendering, a font).
VENV_PACKAGES := python3-venv
SYSTEM_PACKAGES ?= libgl1 libegl1 libx11-6 libxkbcommon0 libfontconfig1 libfreetype6 libglib2.0-0 libdbus-1-3 \
  fonts-dejavu-core

DATA ?= ../shared/data
THREADS ?= 2
HOURS ?= 2

.PHONY: help install demo test test-fast coverage docs train peers clean distclean

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed  ## .venv with the dsir command in it

$(VENV)/installed: pyproject.toml Makefile
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call apt,$(VENV_PACKAGES))
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet "$(TORCH)"
	$(VENV)/bin/python -m pip install --quiet -e ".[$(EXTRAS)]"
	@touch $@

demo: install  ## register a brain with a known answer, beside mutual information; ends with verdict, page and picture
	$(DSIR) demo --out demo-result --threads $(THREADS) --overwrite

# Real MRML and a Qt for the tests of the Slicer side; where they have no build, those tests are skipped and say so.
$(VENV)/slicer: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet -e ".[slicer]" || echo "The Slicer side cannot be tested here." >&2
	@touch $@

test: install system $(VENV)/slicer  ## style, floors, types and every test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PYTHONPATH=DSIRRegistration $(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbmake Testing Docs/notebooks

test-fast: install  ## the tests that register nothing: about a minute
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not models and not browser" Testing/engine

coverage: install  ## how much of the engine its tests run; fails below a floor that only rises
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --cov --cov-report=term Testing/engine

docs: install  ## user guide and API reference in site/; every link is checked
	$(VENV)/bin/python -m pip install --quiet -e ".[docs]"
	$(VENV)/bin/mkdocs build

train: install  ## train the network anew; HOURS=2, DATA=folder with train/ and labelmaps/
	$(DSIR) train $(DATA)/train --labelmaps $(DATA)/labelmaps --out runs/train --hours $(HOURS) --threads $(THREADS)
	@echo "Ship it: $(VENV)/bin/python -m dsir.training.ship runs/train/weights.safetensors dsir"

peers: install  ## our figures beside those of other methods, in an environment of their own (an hour)
	sh Testing/benchmarks/peers_environment.sh
	$(VENV)/bin/python Testing/benchmarks/peers.py --out runs/peers

clean:  ## remove what was made here, except the environment and trained networks
	rm -rf demo-result build dist site .pytest_cache .ruff_cache .mypy_cache
	find DSIRRegistration Testing -name __pycache__ -prune -exec rm -rf {} +

distclean: clean  ## and the environment
	rm -rf $(VENV) DSIRRegistration/*.egg-info

.PHONY: system
system:
	@command -v dpkg >/dev/null || exit 0; \
	  missing="$$(for p in $(SYSTEM_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done)"; \
	  test -z "$$missing" || $(call apt,$$missing)

# Installs where we may; says what to install where we may not.
apt = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); } \
	  || { echo "Please install first: $(1)" >&2; exit 1; }
