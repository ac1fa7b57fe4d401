.PHONY: help setup setup-dev run test crash-test check format bench web lock

PYTHON = .venv/bin/python

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /' | awk -F': ' '{printf "make %-10s %s\n", $$1, $$2}'

setup:  ## build both Python environments, unless they are current
	@python3 environments/build.py

setup-dev:  ## the same, with the tools for tests and checks
	@python3 environments/build.py --dev

run: setup  ## set up whatever is missing, start everything, print the addresses
	@exec .venv/bin/usher up

test: setup-dev  ## run every test; as root on Debian it installs Chromium and PostgreSQL for them
	@sh tests/install.sh
	.venv/bin/usher prepare
	$(PYTHON) -m pytest tests --ignore=tests/e2e --numprocesses logical --dist loadfile
	$(PYTHON) -m pytest tests/e2e

CRASH_KILLS = 2000

crash-test: setup-dev  ## kill processes CRASH_KILLS times on each database while customers write
	@sh tests/install.sh
	.venv/bin/usher prepare
	$(PYTHON) -m tests.crash --kills $(CRASH_KILLS) --report benchmarks/results/crash.md

check: setup-dev  ## format, lint, strict types, import rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy bot actions
	.venv/bin/mypy --python-version 3.10 --python-executable .venv-rasa/bin/python --config-file environments/rasa/mypy.ini bot/rasa_extensions
	.venv/bin/lint-imports
	$(PYTHON) docs/generate.py --check
	sh web/check.sh

format:  ## format and fix what can be fixed by a tool
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: export OMP_NUM_THREADS = 1
bench: setup-dev  ## accuracy, speed, load, the record and its growth; results are kept in benchmarks/results/
	.venv/bin/usher prepare
	$(PYTHON) benchmarks/accuracy.py
	$(PYTHON) benchmarks/speed.py
	$(PYTHON) benchmarks/load.py
	$(PYTHON) benchmarks/record.py
	$(PYTHON) benchmarks/growth.py
	$(PYTHON) benchmarks/channels.py

web:  ## build the widget and the console (needs Node.js)
	cd web && npm ci && npm run build

lock:  ## make the hashed locks anew; CPU_WHEELS is a folder or page with PyTorch's CPU build
	$(PYTHON) environments/lock.py $(CPU_WHEELS)
