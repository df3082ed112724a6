# Everything a person or a machine runs here is a target of this file.
.DEFAULT_GOAL := help
.PHONY: help up test test-fast check fmt lock settings-page schema test-compose bench-gateway bench-auth bench-learnings bench-telemetry bench-teams bench-agents bench-runs bench-runs-analytics bench-bus clean

VENV   := .venv
PYTHON := $(VENV)/bin/python

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# uv where it is, else pip: the lock files are in pip's own format, so both install the same, hashes checked.
define install
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(PYTHON) || uv venv --quiet --seed $(VENV); \
	  uv pip install --quiet --python $(PYTHON) --require-hashes -r $(1); \
	else \
	  test -x $(PYTHON) || python3 -m venv $(VENV); \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
	fi
endef

$(VENV)/.up: requirements/up.txt pyproject.toml
	$(call install,requirements/up.txt)
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .; \
	else $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; fi
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.up
	$(call install,requirements/dev.txt)
	@touch $@

up: $(VENV)/.up ## Start the whole system on this machine
	@exec $(PYTHON) -m guildhall up

test: $(VENV)/.dev ## Run every test, on real servers
	@$(PYTHON) -m tests.prepare
	@$(PYTHON) -m pytest -n 3 --dist worksteal

test-fast: $(VENV)/.dev ## Run the tests that start no other server, in under a minute
	@$(PYTHON) -m pytest -n 2 --dist worksteal -m "not slow and not stack and not rabbit and not valkey and not database"

test-compose: $(VENV)/.dev ## Start docker-compose.yml for real, use it, break it (needs Docker, or root on Debian)
	@$(PYTHON) -m tests.compose.run

check: $(VENV)/.dev ## Format, lint, types, import rules, architecture
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PYTHON) -m pytest -q tests/architecture

fmt: $(VENV)/.dev ## Format the code and mend what can be mended
	@$(VENV)/bin/ruff check --fix --quiet . || true
	@$(VENV)/bin/ruff format .

lock: ## Pin every dependency anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements/image.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra laptop -c requirements/image.txt pyproject.toml -o requirements/up.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra otel -c requirements/up.txt pyproject.toml -o requirements/otel.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra laptop --extra dev --extra otel -c requirements/up.txt -c requirements/otel.txt pyproject.toml -o requirements/dev.txt
	for clients in current older; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tests/support/trw_clients/$$clients.in -o tests/support/trw_clients/$$clients.txt; done

schema: $(VENV)/.dev ## Regenerate every schema.sql from the migrations
	@$(PYTHON) -m tests.schema_files

settings-page: $(VENV)/.dev ## Regenerate docs/settings.md from the code
	@$(PYTHON) -m guildhall.settings_page > docs/settings.md

bench-gateway: $(VENV)/.dev ## Measure the gateway against HAProxy, nginx, Envoy, Fastify and FastAPI
	@$(PYTHON) -m bench.gateway

bench-auth: $(VENV)/.dev ## Measure credential look-ups and logins, at 10,000 and 1,000,000 accounts
	@$(PYTHON) -m bench.auth

bench-learnings: $(VENV)/.dev ## Measure recording and listing learnings, at 1,000 and 1,000,000 rows
	@$(PYTHON) -m bench.learnings

bench-telemetry: $(VENV)/.dev ## Measure taking telemetry in, directly and through the gateway
	@$(PYTHON) -m bench.telemetry

bench-teams: $(VENV)/.dev ## Measure head polls, pushes, telling 1,000 sockets, and what an idle socket takes
	@$(PYTHON) -m bench.teams

bench-agents: $(VENV)/.dev ## Measure messages and their answers, 1,000 sessions in flight, and lists of sessions
	@$(PYTHON) -m bench.agents

bench-runs: $(VENV)/.dev ## Measure a suite beside plain Playwright, and how long runs wait
	@$(PYTHON) -m bench.runs

bench-runs-analytics: $(VENV)/.dev ## Measure analytics over a history of 1,000 and 100,000 runs
	@$(PYTHON) -m bench.runs_analytics

bench-bus: $(VENV)/.dev ## Measure outbox, relay and consumers on both transports
	@$(PYTHON) -m bench.bus

clean: ## Remove what make up and make test leave behind
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
