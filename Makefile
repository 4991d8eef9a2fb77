# Headway. `make` alone lists what can be asked for.

PYTHON ?= python3
DIR ?= /usr/share
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
RUN_LOCKS := requirements/build.txt requirements/run.txt
DEV_LOCKS := requirements/dev.txt
BENCH_LOCKS := requirements/bench.txt
# The package itself comes last and brings nothing along: all it needs has then come in by hash.
INSTALL_SELF := $(PIP) install --no-deps --no-build-isolation -e .
# Most tests wait for others, servers and browsers: so there is one more than processors.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
LOCK_TOOL := uv==0.13.9

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installs at once would break one environment, and nothing here is long enough to gain by -j.
.NOTPARALLEL:
.PHONY: help run serve test lint bench lock clean browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

run: export DIR := $(DIR)
run: $(VENV)/run.stamp ## serve on 127.0.0.1:4590 with one real job: checksum the files beneath DIR
	@$(BIN)/headway demo "$$DIR"

serve: $(VENV)/run.stamp ## serve on 127.0.0.1:4590
	@$(BIN)/headway serve

test: $(VENV)/dev.stamp browser ## run all tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

lint: $(VENV)/dev.stamp ## check style and types
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy $(wildcard src tests bench examples)

bench: $(VENV)/bench.stamp ## measure
	@$(BIN)/python -m bench

# The page is tried in a real browser, and behind a real proxy. Where there is none and Debian's can be had, it is fetched; else
# those tests are left out.
browser:
	@PATH="$$PATH:/usr/sbin"; for tool in chromium nginx; do command -v $$tool >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing $$tool" && \
	  { apt-get update -qq || true; } && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$tool >/dev/null; } || \
	  echo "There is no $$tool here: the tests of the page that take it are left out."; done

clean: ## remove the environment and every cache
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# From dev.txt, the largest set, down: the smaller ones take its versions, so that one environment can hold all.
# The registry settings of whoever runs this are dropped: hashes of a private mirror's own builds would fail elsewhere.
lock: ## pin requirements/ anew after a change of pyproject.toml (UPGRADE=1: all to their newest)
	@tool=$$(mktemp -d) && trap 'rm -rf "$$tool"' EXIT && $(PYTHON) -m venv "$$tool" && \
	"$$tool/bin/pip" install --disable-pip-version-check -q $(LOCK_TOOL) && \
	pin() { env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	  "$$tool/bin/uv" pip compile -q --no-config --universal --python-version 3.11 --generate-hashes \
	  --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) "$$@"; } && \
	pin pyproject.toml --extra all --group build --group bench --group dev -o requirements/dev.txt && \
	pin pyproject.toml --extra cli -c requirements/dev.txt -o requirements/run.txt && \
	pin --group build -c requirements/dev.txt -o requirements/build.txt && \
	pin --group bench -c requirements/dev.txt -o requirements/bench.txt

$(VENV)/run.stamp: $(RUN_LOCKS) pyproject.toml | $(BIN)/pip
	@echo "Installing the pinned requirements into $(VENV)"
	@$(PIP) install --require-hashes $(addprefix -r ,$(RUN_LOCKS))
	@$(INSTALL_SELF)
	@touch $@

$(VENV)/dev.stamp: $(DEV_LOCKS) $(RUN_LOCKS) pyproject.toml | $(BIN)/pip
	@echo "Installing the pinned requirements and test tools into $(VENV)"
	@$(PIP) install --require-hashes $(addprefix -r ,$(DEV_LOCKS))
	@$(INSTALL_SELF)
	@touch $(VENV)/run.stamp $@

$(VENV)/bench.stamp: $(BENCH_LOCKS) $(RUN_LOCKS) pyproject.toml | $(BIN)/pip
	@echo "Installing the pinned requirements and what we are measured against into $(VENV)"
	@$(PIP) install --require-hashes $(addprefix -r ,$(RUN_LOCKS) $(BENCH_LOCKS))
	@$(INSTALL_SELF)
	@touch $(VENV)/run.stamp $@

# pip is what venv puts in last: an environment without it was cut short, and is made anew.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 or newer is needed, and there is no $(PYTHON) here." \
	    "Debian, Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	    "If a newer one is installed, name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: a part of it is missing." \
	    "Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv --clear $(VENV)
