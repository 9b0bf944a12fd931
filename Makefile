# `make book` and `make test` are the two that matter; CONTRIBUTING.md has the list.
PYTHON ?= python3
PY := .venv/bin/python
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# One thread a library, so that numbers do not depend on the number of cores.
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED ?= 0
# A notebook's pictures need the backend that its kernel chooses.
unexport MPLBACKEND

.PHONY: help env book notebooks course slides release folder-missing preview pdf test nbval properties mutants lint lock clean colab-check

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

env:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 or newer, or name one: make book PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) tools/setup_environment.py

## make book         execute every chapter, write _build/html
book: env
	@$(PY) tools/build_book.py

## make notebooks    reader, student and instructor notebooks, in _build/notebooks or in DIR=...
notebooks: book
	@$(PY) -m tools.publish $(if $(DIR),--output "$(DIR)") $(if $(WHEEL),--wheel "$(WHEEL)")

## make course       a course for nbgrader, in DIR=...
course: $(if $(DIR),book,folder-missing)
	@$(PY) -m tools.publish --course "$(DIR)" $(if $(WHEEL),--wheel "$(WHEEL)")

## make release      the library, the notebooks, the site and the archives of this edition, in DIR=...
release: $(if $(DIR),book,folder-missing)
	@$(PY) -m tools.publish --release "$(DIR)"

## make slides       slides for each week, in DIR=... (another course: COURSE=six or seminar)
slides: $(if $(DIR),book,folder-missing)
	@$(PY) -m tools.slides "$(DIR)" $(if $(COURSE),--course $(COURSE))

folder-missing:
	@echo "Name a folder, outside of this one: make $(MAKECMDGOALS) DIR=../my-folder"; exit 1

## make pdf          the book as one PDF, in _build/book.pdf (with hints and solutions: SOLUTIONS=yes)
pdf: book
	@$(PY) -m tools.pdf $(if $(SOLUTIONS),--solutions)

## make preview      serve the book on 127.0.0.1
preview: book
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html 8000

## make test         everything that proves the project
test: env
	@$(PY) tools/run_tests.py

## make nbval        run every chapter again, of this build or of EXECUTED=...; it must print the same
EXECUTED ?= _build/executed
nbval: env
	@$(PY) -m pytest --nbval --nbval-current-env --nbval-cell-timeout 60 --nbval-sanitize-with tests/nbval-sanitize.cfg "$(EXECUTED)"

## make properties   try 10,000 random examples of every property test (hours)
properties: env
	@HYPOTHESIS_PROFILE=long $(PY) -m pytest -q -m hypothesis tests/unit

## make mutants      change the library at 100 random places; the tests should notice 85
mutants: env
	@$(PY) tools/mutants.py

lint: env
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

## make colab-check  run every reader notebook as Colab would
colab-check: notebooks
	@$(PY) tools/colab_check.py

## make lock         resolve the newest versions that work together
lock:
	@$(PYTHON) tools/lock.py

## make clean        remove what was built (the environment stays)
clean:
	@$(PYTHON) tools/clean.py
