# Every task of the project, each a thin call of the tool that does it. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
UV := uv run --quiet --frozen

.PHONY: help setup dev down clean-data status run test lint format protos schema bench

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install the Python packages of uv.lock into .venv (every other task does this by itself)
	@command -v uv >/dev/null || { echo "uv is missing. Get it with: pip install uv   (or: pipx install uv)"; exit 1; }
	@uv sync --quiet --frozen

dev: setup ## Run the whole platform as local processes; Ctrl-C ends it, the data stays
	@exec $(UV) python -m local up

down: setup ## End a running `make dev` from another terminal
	@$(UV) python -m local down

clean-data: setup ## Forget the data of `make dev`
	@$(UV) python -m local clean-data

status: setup ## Show what `make dev` is running, and where
	@$(UV) python -m local status

run: setup ## Run a service's other command beside `make dev`: make run CMD="product reindex", CMD="deadletters list product_events"
	@$(UV) python -m local run $(CMD)

test: setup ## Run every test: unit, contract and integration on real datastores (TESTS=path narrows it)
	@$(UV) pytest $(or $(TESTS),tests)

lint: setup ## Check style, types, architecture and generated files
	@$(UV) ruff check .
	@$(UV) ruff format --check .
	@$(UV) mypy
	@PYTHONPATH=operator $(UV) lint-imports --no-logo
	@$(UV) python protos/generate.py --check --quiet
	@$(UV) python -m services.gateway schema --check
	@uv lock --check --quiet || { echo "uv.lock does not fit pyproject.toml: run uv lock"; exit 1; }

format: setup ## Rewrite the code in the house format
	@$(UV) ruff check --fix-only .
	@$(UV) ruff format .

protos: setup ## Generate protos/gen from the .proto files
	@$(UV) python protos/generate.py --quiet

schema: setup ## Write services/gateway/schema.graphql from the code
	@$(UV) python -m services.gateway schema

bench: setup ## Measure the platform under load and print the table (needs wrk)
	@$(UV) python -m tests.bench
