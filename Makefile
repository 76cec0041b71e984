# make lab opens the course, make test runs every test; both make the environment first, once.
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/ready

.PHONY: setup lab test check lint notebooks measure clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the course needs Python 3.11 or newer, got " + sys.version.split()[0] + "; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $(READY)

lab: setup
	$(BIN)/nanogpt lab

test: setup
	$(BIN)/python -m pytest

check: setup  # the fast part of the tests
	$(BIN)/python -m pytest -m "not slow" tests

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

notebooks: setup  # run them at the laptop tier and store their outputs
	$(BIN)/python -m nanogpt.course.notebooks notebooks/*.ipynb

WHAT ?= laptop
measure: setup  # the README's figures, on this machine: WHAT=laptop, prepare, score, import, classroom or play
	$(BIN)/python tests/measure.py $(WHAT)

clean:
	rm -rf $(VENV)
