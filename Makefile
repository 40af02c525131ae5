# Everything a newcomer needs: `make demo` and `make test` set themselves up.
.PHONY: help setup setup-dev demo serve test test-all test-browser lint types check contracts contracts-check contracts-proofs lock bench clean

PY := .venv/bin/python

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## make .venv with the pinned runtime dependencies
	@scripts/setup.sh requirements.txt

setup-dev: ## the same with everything the tests need
	@scripts/setup.sh requirements-dev.txt

demo: setup ## run the main job, tell its story, then serve pages and API on 127.0.0.1:8000
	@.venv/bin/scf demo $(ARGS)

serve: setup ## serve the pages and the API on an existing data folder
	@.venv/bin/scf serve $(ARGS)

test: setup-dev ## the fast suite
	@$(PY) -m pytest $(ARGS)

test-all: setup-dev ## the fast and the slow suite
	@$(PY) -m pytest -m 'not browser' --timeout 1800 $(ARGS)

test-browser: setup-dev ## pages in a real browser (skips where none is installed)
	@$(PY) -m pytest -m browser tests/browser $(ARGS)

lint: setup-dev ## ruff and the floors of the house
	@$(PY) -m ruff check src tests scripts
	@$(PY) -m ruff format --check src tests scripts
	@.venv/bin/lint-imports

types: setup-dev ## mypy, strict
	@$(PY) -m mypy

check: lint types test ## what a pull request must pass

contracts: setup-dev ## rebuild the committed artifacts from contracts/
	@$(PY) scripts/contracts/compile.py

contracts-check: setup-dev ## fail when the artifacts do not follow from the sources
	@$(PY) scripts/contracts/compile.py --check

contracts-proofs: setup-dev ## forge, halmos and slither on the contracts, fetched into git-ignored folders
	@$(PY) scripts/contracts/proofs.py --install $(ARGS)

lock: ## pin the dependencies again, with hashes
	uv pip compile pyproject.toml --extra build --generate-hashes --universal --python-version 3.11 --no-header -q -o requirements.txt
	uv pip compile pyproject.toml --extra build --extra postgres --extra dev --generate-hashes --universal --python-version 3.11 --no-header -q -o requirements-dev.txt
	sed -n 's/^spark = \["\(.*\)"\]$$/\1/p' pyproject.toml | uv pip compile - --generate-hashes --universal --python-version 3.11 --no-header -q -o requirements-spark.txt
	sed -n 's/^bench = \[\(.*\)\]$$/\1/p' pyproject.toml | tr -d '", ' | sed 's/pyarrow/\n&/' | uv pip compile - --generate-hashes --universal --python-version 3.11 --no-header -q -o requirements-bench.txt

bench: setup-dev ## bulk and online reconciliation beside hand-written SQL and pandas (ARGS="--rows 5000000 --json")
	@.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@$(PY) scripts/bench/reconcile.py $(ARGS)

clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
