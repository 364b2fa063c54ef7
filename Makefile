# Every target does all its own set-up. `make help` lists them.

PYTHON ?= python3.11
PORT ?= 8000
SPEED ?= 60
MARKET ?= auto
MINUTES ?= 10
SEED ?= 1
DATA ?= var
BIN := .venv/bin

.PHONY: help setup run test soak lint bench lock
.DEFAULT_GOAL := help

help:
	@echo "make setup   the virtual environment with everything in it"
	@echo "make run     the whole system [PORT=8000] [SPEED=60] [MARKET=auto] [DATA=var] [FLOWER_PORT=5555]"
	@echo "make test    all tests, on servers of their own"
	@echo "make soak    random faults in all parts of the system, then the question what differs [MINUTES=10] [SEED=1]"
	@echo "make lint    ruff and mypy"
	@echo "make bench   the benchmarks"
	@echo "make lock    pin requirements/*.in to hashes again"

# The Makefile cannot go on without it, so it says so itself.
define install
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) is not installed. On Debian: apt-get install python3.11 python3.11-venv" >&2; exit 1; }
	@$(PYTHON) requirements/install.py $(1)
endef

setup:
	$(call install,dev)

run:
	$(call install,base)
	@exec $(BIN)/python manage.py up --market $(MARKET) --speed $(SPEED) --port $(PORT) --data "$(DATA)"

test:
	$(call install,dev)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup $(ARGS)

soak:
	$(call install,dev)
	@DATA=$$(mktemp -d) && trap 'rm -rf "$$DATA"' EXIT && ALPHAPULSE_DATA="$$DATA" DJANGO_SETTINGS_MODULE=alphapulse_site.settings \
		$(BIN)/python -W ignore -m tests.faults.soak --minutes $(MINUTES) --seed $(SEED)

lint:
	$(call install,dev)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench:
	$(call install,dev)
	$(BIN)/python -m pytest tests/benchmarks --override-ini python_files='bench_*.py' --override-ini python_functions='bench_*' -p no:randomly --quiet --capture no $(ARGS)

lock:
	$(call install,dev)
	cd requirements && for name in installer base dev; do \
		../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $$name.in -o $$name.txt; \
	done
