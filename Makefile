# Everything starts here: `make` lists the targets, `make run` needs nothing before it.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run test lint format fuzz chaos attacks scale bench messages screenshots hashes clean

# A home that is not set, or is not there, must not stop the caches of pip and of the browser.
ifeq ($(and $(HOME),$(wildcard $(HOME)/.)),)
export HOME := $(CURDIR)/.cache/home
endif

PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)

# The first one wins: a variable of the environment or behind `make run`, of .env (ENV_FILE), these.
RUN_DEFAULTS := WHATSAPP_SERVER=simulator PORT=8000 DATA_DIR=var

define SETUP
@python="$(PYTHON)"; mkdir -p "$$HOME" 2>/dev/null; \
if [ -z "$$python" ]; then \
	echo "setup: Python 3.11 or newer is needed, and none is on PATH." >&2; exit 1; \
fi; \
"$$python" deploy/setup_environment.py
endef

define LINT
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/mypy
.venv/bin/lint-imports --no-logo
endef

PYTEST_PROCESSES := -n $${TEST_PROCESSES:-3} --dist loadfile

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## Make .venv and check what the system must have
	$(SETUP) run

run: ## Run everything on one port (WHATSAPP_SERVER=simulator PORT=8000 DATA_DIR=var)
	$(SETUP) run
	@for default in $(RUN_DEFAULTS); do \
		name=$${default%%=*}; \
		printenv "$$name" | grep -q . || grep -Eqs "^ *(export +)?$$name *=" "$${ENV_FILE-.env}" || export "$$default"; \
	done; \
	exec .venv/bin/python manage.py run

test: ## Run the linters, then the tests, on SQLite and then on PostgreSQL and Redis
	$(SETUP) test
	$(LINT)
	DATABASE_URL= REDIS_URL= .venv/bin/python -m pytest $(PYTEST_PROCESSES)
	.venv/bin/python -m tests.support.services .venv/bin/python \
		-m pytest $(PYTEST_PROCESSES) -m servers

lint: ## Run the linters alone
	$(SETUP) run
	$(LINT)

format: ## Format the code and sort its imports
	$(SETUP) run
	.venv/bin/ruff check --select I --fix
	.venv/bin/ruff format

fuzz: ## Make up many requests from the OpenAPI document (FUZZ_EXAMPLES=300 of each operation)
	$(SETUP) test
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} .venv/bin/python -m pytest tests/attacks/test_schema.py

chaos: ## Harm a whole fleet at random (CHAOS_ORGANIZATIONS=50 CHAOS_SECONDS=300 CHAOS_SEED=…)
	$(SETUP) test
	.venv/bin/python -m tests.chaos --organizations $${CHAOS_ORGANIZATIONS:-50} \
		--seconds $${CHAOS_SECONDS:-300} $${CHAOS_SEED:+--seed $$CHAOS_SEED}

attacks: ## Attack a server on loopback, and print what that reaches
	$(SETUP) test
	.venv/bin/python -m tests.attacks

bench: ## Compare with a Baileys peer, into docs/benchmarks.md (BENCH="--organizations 20")
	$(SETUP) test
	.venv/bin/python -m bench $(BENCH)

scale: ## End, stop and cut off web processes and workers (SCALE_ORGANIZATIONS=60)
	$(SETUP) test
	SCALE_LONG=1 SCALE_ORGANIZATIONS=$${SCALE_ORGANIZATIONS:-60} \
		.venv/bin/python -m pytest -s tests/scale/test_failures.py

messages: ## Find the texts that people read, and compile their translations
	$(SETUP) test
	.venv/bin/python -m tests.support.messages

screenshots: ## Take the pictures in docs/images anew
	$(SETUP) test
	.venv/bin/python -m docs.screenshots

hashes: ## Write the lock files: the versions of requirements*.txt with their hashes
	$(SETUP) run
	.venv/bin/python deploy/lock_requirements.py

clean: ## Remove .venv and the caches, never the data in var/
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./var -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
