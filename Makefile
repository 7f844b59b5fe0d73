# `make demo` and `make test` need only Python 3.10.12 to 3.12 and pip: they do all the set-up.
# PYTHON=/path/to/python chooses the interpreter of .venv; JOBS=n the processes of demo and bench.

SHELL := /bin/bash
VENV := .venv/bin
JOBS ?= 2
PYTEST_JOBS ?= 2
SEEDS ?= 5
ARGS ?=
export MUJOCO_GL ?= egl

.DEFAULT_GOAL := help
.NOTPARALLEL:  # all of them write to one .venv
.PHONY: help demo test lint docs gallery videos bench clean demo-env full-env

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo-env:
	@scripts/bootstrap.sh demo

full-env:
	@scripts/bootstrap.sh full

demo: demo-env ## train SAC and MaDi on mini-reach, measure and film both: runs/demo (minutes)
	$(VENV)/python -m distraction_gym demo --jobs $(JOBS) $(ARGS)

test: lint docs ## lint, documentation, then all tests
	$(VENV)/python -m pytest -n $(PYTEST_JOBS) $(ARGS)

lint: full-env ## ruff and mypy
	$(VENV)/python -m ruff check
	$(VENV)/python -m ruff format --check
	$(VENV)/python -m mypy

docs: full-env ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(VENV)/python -m mkdocs build --strict

gallery: full-env ## draw the pictures of the documentation anew
	$(VENV)/python docs/make_gallery.py

golden: full-env ## keep what every ID shows today as its golden picture (look first: make gallery)
	$(VENV)/python -m pytest -q tests/envs/test_golden_frames.py --update-golden

videos: full-env ## make the clips and recordings in videos/ anew
	$(VENV)/python videos/make_videos.py

bench: full-env ## the mini table: every agent over SEEDS seeds (hours): runs/bench
	$(VENV)/python -m distraction_gym bench run --suite mini --task reach \
		--first-seed 1 --seeds $(SEEDS) --jobs $(JOBS) --out runs/bench $(ARGS)

clean: ## remove .venv, caches and built files; runs/ stays
	rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
