# The only commands that a contributor needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup wheel demo check test test-full lint types fmt lock bench bench-memory preview docs clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Create .venv with everything in it

$(STAMP): requirements.lock pyproject.toml tools/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash tools/setup.sh
	@touch $@

demo: $(STAMP) ## Plan a sample workload, then run the service and find a memory
	@BIN="$(BIN)" bash tools/demo.sh

check: $(STAMP) ## The quick loop: lint, types, tests that are quick and need no server (some minutes)
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/pytest -q -n auto -m "not slow and not browser and not servers"

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy

test: $(STAMP) ## All tests, real servers included
	@bash tools/install-browser.sh
	@bash tools/install-servers.sh
	@bash tools/install-pulumi.sh
	@bash tools/install-promtool.sh
	@bash tools/install-checkov.sh
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/pytest -n auto

test-full: test ## What takes longer: 1,000 kills, every disk call failing once, more stacks, then benchmarks
	@REME_KILLS=1000 $(BIN)/pytest -n auto tests/durability
	@REME_STACKS=all $(BIN)/pytest -n auto tests/emulated_aws tests/infra/alicloud/test_engine.py
	@$(MAKE) --no-print-directory bench

bench: $(STAMP) ## Time reme-size against bare Python and pandas, as ratios
	@$(BIN)/python tools/bench.py

bench-memory: $(STAMP) ## Measure the memory service beside six peers (about two hours)
	@$(BIN)/python -m benchmarks all --report docs/benchmarks.md

BASE ?= origin/main
preview: wheel ## Show what the working tree changes of every stack: resources, cost, policies (BASE=origin/main)
	@bash tools/install-pulumi.sh engine
	@$(BIN)/reme-preview run --base "$(BASE)"

wheel: $(STAMP) ## Build the wheel that single hosts install, into dist
	@rm -rf dist && $(BIN)/python -m hatchling build -t wheel -d dist

docs: $(STAMP) ## Rewrite the generated parts of the documentation
	@$(BIN)/python tools/write_docs.py

fmt: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format .

lock: ## Pin every dependency anew, with hashes
	@bash tools/lock.sh

clean: ## Remove what the other commands made
	@rm -rf $(VENV) .envs .mypy_cache .pytest_cache .ruff_cache .hypothesis
