# One door. `make demo` and `make test` set up everything they need; a second call is fast.
.PHONY: demo test check bench setup clean help
.DEFAULT_GOAL := help

PYTHON ?= python3.11
UV_VERSION := 0.13.9
UV := .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

demo: .venv/.ready ## set up, train on a simulated city and a real panel, serve; Ctrl-C stops it
	.venv/bin/brain demo

test: .venv/.ready .tools/mosquitto/.ready ## set up and run the tests
	.venv/bin/pytest

check: .venv/.ready ## ruff, mypy --strict, import-linter, the lock's date
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(UV) lock --check --python $(PYTHON)

bench: .venv/.ready ## measure the shipped pipeline beside its peers: make bench DATA="DIR..."
	.venv/bin/brain benchmark forecasting $(DATA) --peers

setup: .venv/.ready ## set up only

clean: ## remove what `make` installed; data stays
	rm -rf .venv .tools

.venv/.ready: uv.lock pyproject.toml $(UV)
	$(UV) sync --frozen --all-extras --compile-bytecode --python $(PYTHON)
	@touch $@

# a broker for the tests, unpacked and not installed; without one, its tests are skipped and say so
.tools/mosquitto/.ready: tests/get-mosquitto.sh | $(UV)
	@sh tests/get-mosquitto.sh .tools/mosquitto
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed; name it with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
