# `make` lists the targets; `make run` needs no other target first.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup run test lint format fuzz chaos chaos-messages drill attacks scale stress bench webhooks messages screenshots hashes try-neonize clean
.PHONY: lint-structure test-compile test-structure test-products test-apps

# pip and the browser need a home for their caches, also where HOME is unset or missing.
ifeq ($(and $(HOME),$(wildcard $(HOME)/.)),)
export HOME := $(CURDIR)/.cache/home
endif

PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)

# Used for variables that neither the environment, `make run NAME=…` nor .env (ENV_FILE) sets.
RUN_DEFAULTS := WHATSAPP_SERVER=simulator PORT=8000 DATA_DIR=var

define SETUP
@python="$(PYTHON)"; mkdir -p "$$HOME" 2>/dev/null; \
if [ -z "$$python" ]; then \
	echo "setup: Python 3.11 or newer is needed, and none is on PATH." >&2; exit 1; \
fi; \
"$$python" deploy/setup_environment.py
endef

define LINT_STYLE
.venv/bin/ruff check
.venv/bin/ruff format --check
endef

define LINT_STRUCTURE
.venv/bin/mypy
.venv/bin/lint-imports --no-logo
endef

# Files go out in the order of pytest.ini, not by their number of tests.
PYTEST := -m pytest --dist loadfile --no-loadscope-reorder
# Tests of whole products wait much; those of apps run beside them and take what CPU time is left.
PRODUCTS := tests bench simulator
APPS := $(filter-out $(PRODUCTS),$(shell sed -n 's/^testpaths = //p' pytest.ini))
OF_PRODUCTS := -n $${TEST_PROCESSES:-4} $(PRODUCTS)
OF_APPS := -n $${TEST_APP_PROCESSES:-2} $(APPS)
ON_SQLITE := env DATABASE_URL= REDIS_URL= .venv/bin/python
ON_SERVERS := .venv/bin/python -m tests.support.services .venv/bin/python

# Print the output of a shell command when it ends: that of test-products is shown all the time.
define LATER
@mkdir -p .cache; { $(1); } >.cache/$@.log 2>&1; code=$$?; cat .cache/$@.log; exit $$code
endef

# Tests start hundreds of Pythons; without .pyc files each compiles the product and the tests again.
test: export PYTHONDONTWRITEBYTECODE =

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## Create .venv and check the system dependencies
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
	$(LINT_STYLE)
	@$(MAKE) -j 3 test-structure test-products test-apps

test-structure:
	$(call LATER,$(MAKE) lint-structure)

test-products: test-compile
	$(ON_SQLITE) $(PYTEST) $(OF_PRODUCTS)
	$(ON_SERVERS) $(PYTEST) $(OF_PRODUCTS) -m servers

test-apps: test-compile
	$(call LATER,nice -n 5 $(ON_SQLITE) $(PYTEST) $(OF_APPS) && nice -n 5 $(ON_SERVERS) $(PYTEST) $(OF_APPS) -m servers)

# Else each test process compiles all tests at the start.
test-compile:
	@.venv/bin/python -m pytest --collect-only -qq >/dev/null 2>&1 || true

lint: ## Run the linters
	$(SETUP) run
	$(LINT_STYLE)
	$(LINT_STRUCTURE)

lint-structure:
	$(LINT_STRUCTURE)

format: ## Format the code and sort its imports
	$(SETUP) run
	.venv/bin/ruff check --select I --fix
	.venv/bin/ruff format

fuzz: ## Generate many requests from the OpenAPI document (FUZZ_EXAMPLES=300 of each operation)
	$(SETUP) test
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} .venv/bin/python -m pytest tests/attacks/test_schema.py

chaos: ## Inject random faults into a fleet (CHAOS_ORGANIZATIONS=50 CHAOS_SECONDS=300 CHAOS_SEED=…)
	$(SETUP) test
	.venv/bin/python -m tests.chaos --organizations $${CHAOS_ORGANIZATIONS:-50} \
		--seconds $${CHAOS_SECONDS:-300} $${CHAOS_SEED:+--seed $$CHAOS_SEED}

chaos-messages: ## The same with messages both ways all the time (CHAOS_MESSAGES=10000 CHAOS_SECONDS=900)
	$(SETUP) test
	.venv/bin/python -m tests.chaos --organizations $${CHAOS_ORGANIZATIONS:-20} \
		--seconds $${CHAOS_SECONDS:-900} --messages $${CHAOS_MESSAGES:-10000} \
		$${CHAOS_SEED:+--seed $$CHAOS_SEED}

drill: ## Take WhatsApp from a fleet, and compare who is told (DRILL_ORGANIZATIONS=60 DRILL_AWAY=600)
	$(SETUP) test
	.venv/bin/python -m tests.drill --organizations $${DRILL_ORGANIZATIONS:-60} \
		--away $${DRILL_AWAY:-600}

attacks: ## Attack a server on loopback, and print the effect
	$(SETUP) test
	.venv/bin/python -m tests.attacks

webhooks: ## Deliver WEBHOOK_EVENTS=10000 events, and to WEBHOOK_ENDPOINTS=1000 of which half hang
	$(SETUP) test
	WEBHOOK_EVENTS=$${WEBHOOK_EVENTS:-10000} WEBHOOK_ENDPOINTS=$${WEBHOOK_ENDPOINTS:-1000} \
		.venv/bin/python -m tests.support.services .venv/bin/python -m pytest -s \
		webhooks/tests/delivery/test_faults.py webhooks/tests/delivery/test_many_endpoints.py

bench: ## Compare with a Baileys peer, into docs/benchmarks.md (BENCH="--organizations 20")
	$(SETUP) test
	.venv/bin/python -m bench $(BENCH)

scale: ## Kill, stop and cut off web processes and workers (SCALE_ORGANIZATIONS=60)
	$(SETUP) test
	SCALE_LONG=1 SCALE_ORGANIZATIONS=$${SCALE_ORGANIZATIONS:-60} \
		.venv/bin/python -m pytest -s tests/scale/test_failures.py

stress: ## Start, stop, send and receive on 25 clients in one host process (STRESS_SECONDS=300)
	$(SETUP) test
	STRESS_SECONDS=$${STRESS_SECONDS:-300} \
		.venv/bin/python -m pytest -s connections/tests/hosts/test_stress.py

messages: ## Extract user-visible texts, and compile the translations
	$(SETUP) test
	.venv/bin/python -m tests.support.messages

screenshots: ## Take the screenshots in docs/images
	$(SETUP) test
	.venv/bin/python -m docs.screenshots

hashes: ## Write the lock files: the versions of requirements*.txt with their hashes
	$(SETUP) run
	.venv/bin/python deploy/lock_requirements.py

try-neonize: ## Say whether neonize VERSION=… may be pinned, in words
	$(SETUP) test
	@.venv/bin/python -m tests.upgrade "$(VERSION)"

clean: ## Remove .venv and the caches, never the data in var/
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./var -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
