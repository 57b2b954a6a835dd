# Comptoir: what one types. `make` alone explains.
PYTHON ?= python3.11
PY = .venv/bin/python
SHELL = /bin/bash

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: requirements.txt requirements-dev.txt
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv 2>/dev/null || python3 -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/ready

setup: .venv/ready ## everything the product and its tests need

run: .venv/ready ## the product with demo data, worker and simulators; Ctrl-C stops all of it
	@exec $(PY) run.py

till: .venv/ready ## a till of the demonstration plays its day against « make run »
	@exec $(PY) -m simulators.till http://127.0.0.1:$${PORT:-8000} "$$(cat $${COMPTOIR_DATA_DIR:-var}/demo-till-key)"

worker: .venv/ready ## the worker alone
	@exec .venv/bin/huey_consumer tasks.huey -w 2 -k thread -t 60 -f

demo: .venv/ready ## add the demonstration to the database
	@.venv/bin/flask --app app init && .venv/bin/flask --app app demo

test: .venv/ready ## everything set up and passed, on SQLite and, when it answers, on PostgreSQL + Redis
	@$(PY) tests/run.py

check: .venv/ready ## format, lint, types, translations, architecture: exactly what CI runs first
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && $(PY) -m mypy
	@$(PY) -m pytest -q tests/test_architecture.py tests/test_translations.py tests/test_workflows.py

accept: .venv/ready ## the long suites at their figures, on both engines, with a report (var/accept/report.html); some 35 minutes
	@$(PY) -m tests.accept $(SUITES)

mutants: .venv/ready ## which small changes of a MODULE its own TESTS do not notice (mutmut, long)
	@$(PY) -m tests.mutants "$(MODULE)" "$(TESTS)" $(NAMES)

peers: .venv/ready ## install and fill django-oscar in var/peers, to be measured beside us by make bench
	@$(PY) benchmarks/_peer.py

bench: .venv/ready ## what we promise about speed, each figure against its limit
	@for b in benchmarks/[a-z]*.py; do $(PY) $$b || exit 1; done

fmt: .venv/ready ## format the code
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix -q .
	@if command -v npx >/dev/null; then npx --yes -p prettier -p prettier-plugin-jinja-template prettier --log-level warn --write "templates/**/*.html"; fi

messages: .venv/ready ## bring translations/fr up to date with the sources
	@.venv/bin/pybabel -q extract -F translations/babel.cfg -k _l --no-location --sort-output -o /tmp/comptoir.pot .
	@.venv/bin/pybabel -q update -N --no-wrap --ignore-obsolete -i /tmp/comptoir.pot -d translations -l fr && echo "now fill the empty ones in translations/fr/LC_MESSAGES/messages.po"

migration: .venv/ready ## name="what changes": a numbered migration from the difference with models.py
	@.venv/bin/flask --app app db migrate -d migrations -m "$(name)" --rev-id $$(printf '%04d' $$(( $$(ls migrations/versions/*.py | wc -l) + 1 )))

screenshots: .venv/ready ## remake the pictures of the README
	@$(PY) docs/screenshots.py

.PHONY: help setup run till worker demo test check accept mutants peers bench fmt messages migration screenshots
.DEFAULT_GOAL = help
