BIN := .venv/bin
READY := .venv/ready
# 3.11 first: it is what the project is tested and measured on.
PYTHONS := python3.11 python3.12 python3.13 python3
# Files of tests, one of which mostly waits (tests/conftest.py). Servers take cores as well: with more at once some
# are not ready in time.
TESTED_AT_ONCE := 3
# Images of containers set it, and then each of the hundreds of Pythons that tests start compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check bench pbx prompts

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-8s%s\n", $$1, $$2}' Makefile

setup: $(READY) ## Put everything into .venv, occ included

demo: setup ## Show the whole system live; FOR=30 ends it after 30 seconds; PBX=1: real calls on a real Asterisk
	@$(BIN)/occ demo $(if $(PBX),--pbx) $(if $(FOR),--for $(FOR))

test: ## Check and run all tests, at last those that measure times, once it is quiet
	@deploy/asterisk/build .cache/asterisk >/dev/null 2>&1 &
	@$(MAKE) --no-print-directory setup
	@failed=; \
	$(MAKE) --no-print-directory check >.venv/check.log 2>&1 & checking=$$!; \
	$(BIN)/pytest --numprocesses $(TESTED_AT_ONCE) --dist loadfile --no-loadscope-reorder -m 'not alone' || failed=1; \
	wait $$checking || { cat .venv/check.log; failed=1; }; \
	$(BIN)/pytest -m alone || failed=1; \
	[ -z "$$failed" ]

check: setup ## Lint, types, direction of imports, generated files
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python -m wallboard.glossary --check

pbx: ## Build a real Asterisk into .cache/asterisk, for the tests and the demo
	@deploy/asterisk/build .cache/asterisk

prompts: setup ## Speak the recordings that announcements are made of, into .cache/prompts
	@$(BIN)/occ prompts speak .cache/prompts

bench: setup ## Measure speed, beside the barest way to do the same
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.wallboard

$(READY): pyproject.toml requirements.lock bootstrap.lock
	@echo 'Setting up .venv' >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# A Python counts when it is new enough and can make a virtual environment, which Debian's cannot without a package.
.PHONY: .venv
.venv:
	@set -eu; \
	usable() { \
	  for python in $(PYTHONS); do \
	    if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then echo $$python; return; fi; \
	  done; \
	  return 1; \
	}; \
	if ! usable >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing python3-venv' >&2; \
	  DEBIAN_FRONTEND=noninteractive flock /var/lib/dpkg sh -c \
	    'apt-get -qq update && apt-get -qq install --no-install-recommends python3-venv >/dev/null'; \
	fi; \
	python=$$(usable) || { \
	  echo 'No usable Python: 3.11 or newer is needed, with its module venv.' >&2; \
	  echo 'On Debian or Ubuntu: apt-get install python3-venv' >&2; \
	  exit 1; \
	}; \
	$$python -m venv --clear .venv
