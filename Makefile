# The commands of the workspace. `make help` lists them.
# Paths here are relative, so that the checkout may lie in a folder with a blank in its name.

PYTHON ?= python3
RUN := .venv/bin/python
PACKAGES := core $(patsubst %/pyproject.toml,%,$(wildcard adaptors/*/pyproject.toml))
OF_HTTP = $(patsubst %/pyproject.toml,tests/%,$(shell grep -l crossdock-http adaptors/*/pyproject.toml))
INSTALLED := .venv/.installed
OPENSSH := .venv/openssh/.unpacked
OPENSSH_PACKAGES := openssh-server libwrap0 libnsl2 libtirpc3 libnss-wrapper

.DEFAULT_GOAL := help
.PHONY: help demo test openssh check public-api docs bench bench-serve soak check-httpx2 format wheels clean

help: ## List the targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

demo: $(INSTALLED) ## Run the main job on a form server and a PostgreSQL that start with it
	@$(RUN) examples/demo.py

test: $(INSTALLED) ## Run all tests
	$(RUN) -m pytest

openssh: $(OPENSSH) ## Unpack an OpenSSH server into .venv, on which the tests of sftp run (Debian, Ubuntu)

check: $(INSTALLED) ## Check style, types, the floors and public names of the packages and the code in the docs
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports --no-cache --no-logo
	@$(RUN) .ci/public_api.py $(PACKAGES)
	$(RUN) -m pytest -q tests/test_documents.py

public-api: $(INSTALLED) ## Compare what the packages make public with the last tag; part of check
	@$(RUN) .ci/public_api.py $(PACKAGES)

docs: $(INSTALLED) ## Build the documentation into docs/_build/html; a warning is an error
	$(RUN) -m sphinx --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

bench: $(INSTALLED) ## Measure the costs of crossdock beside the bare libraries
	$(RUN) tests/benchmarks/run.py

bench-serve: $(INSTALLED) ## Measure what is promised of crossdock serve, and write tests/benchmarks/SERVE.md
	@$(RUN) tests/benchmarks/serve.py

soak: $(INSTALLED) ## Kill servers and runs 1,000 times while 20,000 messages come in (about 10 minutes)
	$(RUN) tests/fix_storm.py 20000 1000

check-httpx2: $(INSTALLED) ## Run the tests of the http adaptors with the successor of httpx
	rm -rf .httpx2
	$(RUN) -m pip install --quiet --disable-pip-version-check --target .httpx2 httpx2
	cp -R adaptors/http/crossdock_http .httpx2/
	$(RUN) -c 'from pathlib import Path; file = Path(".httpx2/crossdock_http/library.py"); file.write_text(file.read_text().replace("import httpcore", "import httpcore2 as httpcore").replace("import httpx", "import httpx2 as httpx"))'
	PYTHONPATH=.httpx2 $(RUN) -m pytest -q $(OF_HTTP)

format: $(INSTALLED) ## Put the code into the project's format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

wheels: $(INSTALLED) ## Build the wheels of all distributions into dist/
	@for package in $(PACKAGES); do $(RUN) -m build --wheel --no-isolation --outdir dist $$package || exit 1; done

clean: ## Remove all that was made here
	rm -rf .venv .demo .httpx2 dist docs/_build .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "Making .venv and installing the packages into it (about a minute) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "crossdock needs Python 3.11 or newer; say which: make PYTHON=python3.12"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv .venv
	@$(RUN) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(RUN) -m pip install --quiet --disable-pip-version-check --group dev $(addprefix -e ,$(PACKAGES))
	@touch $(INSTALLED)

$(OPENSSH): $(INSTALLED)
	@echo "Unpacking $(OPENSSH_PACKAGES) into .venv/openssh; nothing is installed …"
	@rm -rf .venv/openssh && mkdir .venv/openssh
	@cd .venv/openssh && { apt-get download --quiet=2 $(OPENSSH_PACKAGES) || { apt-get update --quiet=2 && apt-get download --quiet=2 $(OPENSSH_PACKAGES); }; }
	@cd .venv/openssh && for package in *.deb; do dpkg -x $$package . || exit 1; done
	@touch $(OPENSSH)
