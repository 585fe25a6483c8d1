# The registry's commands. `make` lists them. Everything Python runs as `.venv/bin/python -m …`: the scripts in .venv/bin
# name their interpreter in the first line, which fails in long paths and in paths with spaces.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PY := .venv/bin/python
UV_VERSION := 0.13.9
# Tried in this order; the first that is 3.11 or newer and can make environments is taken. PYTHON=… names another.
PYTHON ?=
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14 /usr/bin/python3

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: .venv/.installed ## install, start everything with synthetic patients, print the address (PORT=8000)
	@exec $(PY) -m prrt_registry.supervisor

.PHONY: stop
stop: .venv/.installed ## end what make demo started
	@exec $(PY) -m prrt_registry.supervisor stop

.PHONY: demo-reset
demo-reset: .venv/.installed ## end it, remove its data, begin anew
	@$(PY) -m prrt_registry.supervisor reset
	@exec $(PY) -m prrt_registry.supervisor

.PHONY: lint
lint: .venv/.installed-dev ## style, types, layers and migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@# Compares models with migration files alone; with a database it would start the embedded server and leave it running.
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/none $(PY) -W ignore manage.py makemigrations --check --dry-run

.PHONY: test
test: lint ## lint, then every test (PYTEST_ARGS=… adds arguments)
	$(PY) -m pytest -n 2 $(PYTEST_ARGS)

# Needs GNU gettext. Both kinds of files are committed: a machine that only runs the registry needs no tool for them.
.PHONY: messages
messages: .venv/.installed-dev ## gather the texts to translate, compile what is translated
	$(PY) manage.py makemessages --all --no-obsolete --no-location --ignore=.venv --ignore=var --ignore=tests --ignore=bench
	$(PY) manage.py makemessages --all --no-obsolete --no-location --ignore=.venv --ignore=var --ignore=tests --domain=djangojs
	$(PY) manage.py compilemessages --ignore=.venv

.PHONY: bench
bench: .venv/.installed-dev ## measure (ARGS=… goes to python -m bench)
	$(PY) -m bench $(ARGS)

# Without --no-emit-index-url the files would name the mirror of whoever compiled them.
.PHONY: requirements
requirements: .venv/.uv ## compile requirements*.txt from requirements*.in
	for name in requirements requirements-dev; do \
		$(PY) -m uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --quiet \
			--output-file "$$name.txt" "$$name.in" || exit 1; \
	done

# The environment. A stamp is newer than what it was installed from, so a second run installs nothing. An environment
# whose making was interrupted, or whose Python has gone or become another version, cannot import pip: it is made anew.

ifneq ($(wildcard .venv),)
$(shell $(PY) -c 'import pip' 2>/dev/null || rm -f $(PY) .venv/.uv .venv/.installed .venv/.installed-dev)
endif

define install
	@echo "Installing $(1) …"
	@if test -x .venv/bin/uv && $(PY) -m uv pip install --quiet --python $(PY) -r $(1); then :; else \
		echo "uv could not install them; trying pip …"; \
		$(PY) -m pip install --quiet --disable-pip-version-check -r $(1); \
	fi
	@touch "$@"
endef

.venv/.installed: requirements.txt | .venv/.uv
	$(call install,requirements.txt)

.venv/.installed-dev: requirements-dev.txt .venv/.installed | .venv/.uv
	$(call install,requirements-dev.txt)

# uv installs in seconds what takes pip more than a minute; without it pip does the same.
.venv/.uv: | $(PY)
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" \
		|| echo "uv could not be installed; pip does its work, more slowly."
	@touch "$@"

$(PY):
	@found=; \
	for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found="$$python"; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
		echo "Making .venv with $$("$$python" --version) …"; \
		exec "$$python" -m venv --clear .venv; \
	done; \
	if test -n "$$found"; then \
		echo "$$found cannot make environments: its venv and ensurepip modules are missing." >&2; \
		echo "Install them (Debian, Ubuntu: apt install python3-venv), then repeat the command." >&2; \
	else \
		echo "Python 3.11 or newer is needed, and none was found." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2; \
	fi; \
	exit 1
