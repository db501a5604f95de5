# Every task of the project, each a thin call of the tool that does it. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
UV := uv run --quiet --frozen
# Where a machine sets it, each process compiles whatever it imports anew: a service takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

# Only what is said on make's own command line: a KUBECONFIG that a shell exports may lead to somebody's production.
given = $(if $(filter command line,$(origin $(1))),$($(1)))
KUBECONFIG_GIVEN := $(call given,KUBECONFIG)
CLUSTER := $(if $(KUBECONFIG_GIVEN),--kubeconfig $(KUBECONFIG_GIVEN)) $(if $(PLATFORM),--platform $(PLATFORM))
# `--name=value` where the variable was given; bash's own SECONDS does not count.
option = $(if $(call given,$(2)),--$(1)="$(call given,$(2))")
E2E_ENV := E2E_KUBECONFIG="$(KUBECONFIG_GIVEN)" E2E_REGISTRY="$(call given,REGISTRY)"

.PHONY: help setup up down cluster-status images e2e e2e-full dev dev-down clean-data status run test lint format protos schema bench evaluate

help: ## List the tasks
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: ## Install the Python packages of uv.lock into .venv (every other task does this by itself)
	@command -v uv >/dev/null || { echo "uv is missing. Get it with: pip install uv   (or: pipx install uv)"; exit 1; }
	@uv sync --quiet --frozen

up: setup ## The platform on Kubernetes: kind, or a node of its own on this host (KUBECONFIG=… REGISTRY=… for your cluster)
	@exec $(UV) python -m local.up up $(CLUSTER) $(if $(REGISTRY),--registry $(REGISTRY))

down: setup ## Remove what `make up` made (KUBECONFIG=…: the platform; with EVERYTHING=yes the operator too)
	@exec $(UV) python -m local.up down $(CLUSTER) $(if $(filter yes,$(EVERYTHING)),--everything)

cluster-status: setup ## Show the cluster of `make up` and each component of its platforms
	@$(UV) python -m local.up status $(CLUSTER)

images: setup ## Build the images (docker, podman or buildah) without starting anything
	@$(UV) python -m local.images build

e2e: setup ## Prove the platform on a real cluster, faults included (KUBECONFIG=… REGISTRY=… for yours)
	@$(E2E_ENV) exec $(UV) pytest tests/e2e --capture=no --verbose -m "not full" $(E2E)

e2e-full: setup ## All of e2e, with the tests that take long
	@$(E2E_ENV) exec $(UV) pytest tests/e2e --capture=no --verbose $(E2E)

dev: setup ## Run the whole platform as local processes, without Kubernetes; Ctrl-C ends it, the data stays
	@exec $(UV) python -m local up

dev-down: setup ## End a running `make dev` from another terminal
	@$(UV) python -m local down

clean-data: setup ## Forget the data of `make dev`
	@$(UV) python -m local clean-data

status: setup ## Show what `make dev` is running, and where
	@$(UV) python -m local status

run: setup ## Run a service's other command beside `make dev`: make run CMD="product reindex", CMD="deadletters list product_events"
	@$(UV) python -m local run $(CMD)

test: setup ## Run every test but e2e: unit, contract and integration on real datastores (TESTS=path narrows it)
	@$(UV) pytest $(or $(TESTS),tests --ignore=tests/e2e)

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

bench: setup ## Measure the platform under load (AGAINST=<git ref>: beside that state; PARTS=1; ONLY=search; SECONDS=4; SIZE=large; BENCH=steps or recommender)
	@$(UV) python -m tests.bench $(BENCH) $(call option,shop,SIZE) $(call option,against,AGAINST) $(call option,only,ONLY) \
		$(call option,seconds,SECONDS) $(if $(call given,PARTS),--parts)

evaluate: setup ## Measure the recommender on MovieLens 100k, or on your own interactions (DATA=file.csv), beside baselines
	@$(UV) python -m tests.evaluate $(if $(DATA),--data "$(DATA)")
