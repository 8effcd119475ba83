# `make help` lists what can be made. Everything works from a fresh clone.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
# The build of torch (CPU or CUDA) is left to your pip configuration.
TORCH := torch==2.13.0
NOT_LOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit \
	nvidia-cublas nvidia-cublas-cu12 nvidia-cuda-cccl nvidia-cuda-cupti \
	nvidia-cuda-cupti-cu12 nvidia-cuda-nvrtc nvidia-cuda-nvrtc-cu12 \
	nvidia-cuda-runtime nvidia-cuda-runtime-cu12 nvidia-cudnn-cu12 nvidia-cudnn-cu13 \
	nvidia-cufft nvidia-cufft-cu12 nvidia-cufile nvidia-cufile-cu12 nvidia-curand \
	nvidia-curand-cu12 nvidia-cusolver nvidia-cusolver-cu12 nvidia-cusparse \
	nvidia-cusparse-cu12 nvidia-cusparselt-cu12 nvidia-cusparselt-cu13 \
	nvidia-nccl-cu12 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvjitlink-cu12 \
	nvidia-nvshmem-cu12 nvidia-nvshmem-cu13 nvidia-nvtx nvidia-nvtx-cu12

.PHONY: help setup models demo test test-pages test-slow test-durability check bench docs lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 12

setup: .venv/.stamp  ## Make .venv with every extra and tool, from the lock file

models: setup  ## Fetch the two default models into the per-user cache
	@$(BIN)/groundtune models pull all-minilm-l6-v2
	@$(BIN)/groundtune models pull smollm2-135m-instruct

demo: models  ## From nothing to a verdict: four arms on a world of invented facts
	$(BIN)/groundtune demo --out demo

# Two processes of one thread each: threads that wait for each other's turn would spin.
test: models  ## Run the tests, all but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not pages and not slow and not gpu and not network" $(ARGS)

test-pages: models  ## Type the tutorials and the pages on scenarios into a shell, and compare
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m pages $(ARGS)

test-slow: models  ## Run the tests that take minutes each
	$(BIN)/pytest -m "slow and not gpu and not network" $(ARGS)

test-durability: models  ## Kill, cut, fill and damage knowledge bases, in full (half an hour)
	$(BIN)/pytest tests/durability -n0 -s $(ARGS)

check: setup  ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: models  ## Measure against the common libraries; SCIFACT=DIR for ingest and search, LABELLED=DIR for training
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/embed.py
	$(BIN)/python benchmarks/narrow.py
	$(BIN)/python benchmarks/likelihood.py
	$(if $(SCIFACT),$(BIN)/python benchmarks/ingest.py $(SCIFACT))
	$(if $(SCIFACT),$(BIN)/python benchmarks/search.py $(SCIFACT))
	$(if $(SCIFACT),$(BIN)/python benchmarks/ask.py $(SCIFACT))
	$(if $(LABELLED),$(BIN)/python benchmarks/train.py $(LABELLED))

docs: setup  ## Write docs/cli.md from the command line itself
	$(BIN)/python scripts/make_docs.py

lock: setup  ## Resolve pyproject.toml into requirements.lock again
	echo "$(TORCH)" > .venv/constraints.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
		--generate-hashes --no-emit-index-url --no-header --no-annotate \
		--constraint .venv/constraints.txt --upgrade \
		$(foreach name,$(NOT_LOCKED),--no-emit-package $(name)) \
		pyproject.toml --output-file requirements.lock

clean:  ## Remove .venv, caches and the demo; models and knowledge bases stay
	rm -rf .venv demo dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "groundtune needs Python 3.11 or newer: install it, or name it with make PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(UV) || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@# uv does not read pip's configuration: where only pip knows the index, pip installs.
	@# Compiled once here, as pip does: else every process compiles where none may be written.
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-deps \
		-r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
