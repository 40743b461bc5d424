# make demo · test · check · bench · docs — each sets up what it needs.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PACKAGES = opcode_core opcode_http opcode_shell opcode_fs opcode_crypto panel $(sort $(wildcard plugins/opcode_*))
READY   = $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help panel screenshots setup demo serve test kill check bench cover format clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## Install everything into .venv

$(READY): constraints.txt pyproject.toml $(foreach p,$(PACKAGES),$(p)/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "OPCODE needs Python 3.11 or newer: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group dev $(foreach p,$(PACKAGES),--editable ./$(p))
	@touch $@

VENDOR  = panel/src/opcode_panel/static/vendor

panel: $(VENDOR)/htmx.min.js  ## Build the panel's front-end files (needs node)

$(VENDOR)/htmx.min.js: panel/package.json panel/package-lock.json
	@if command -v npm >/dev/null; then \
	  cd panel && npm ci --silent --no-audit --no-fund && mkdir -p ../$(VENDOR) \
	  && cp node_modules/htmx.org/dist/htmx.min.js node_modules/@picocss/pico/css/pico.min.css ../$(VENDOR)/; \
	else echo "node is missing: the panel's pages will not change by themselves (see panel/README.md)"; fi

demo: $(READY)  ## Start a server, and let an agent use it from start to end
	@$(BIN)/python examples/demo/demo.py

serve: $(READY) panel  ## Start the server and leave it running
	@$(BIN)/opcode serve

test: $(READY) panel  ## Run all tests
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --quiet

screenshots: $(READY) panel  ## Take the panel's pictures for docs/screenshots (needs chromium)
	@$(BIN)/python panel/tests/browser/screenshots.py

kill: $(READY)  ## Kill N processes (500) and see that their runs go on: make kill N=2000
	@$(BIN)/python tests/kill/harness.py --kills $(or $(N),500)

check: $(READY)  ## Style, types, layers, docs
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(foreach p,$(PACKAGES),$(p)/src) benchmarks examples/demo
	$(BIN)/lint-imports
	$(BIN)/python docs/check.py

bench: $(READY)  ## Measure; the table is also written to benchmarks/out/latest.json
	@$(BIN)/python benchmarks/run.py

cover: $(READY)  ## Tests of the core with its coverage, which must stay above 95 %
	@$(BIN)/python -m pytest opcode_core/tests tests --cov --cov-report=term --cov-fail-under=95

format: $(READY)  ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

clean:  ## Remove what was built
	rm -rf $(VENV) .demo benchmarks/out
