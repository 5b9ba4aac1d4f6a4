# Everything a developer or CI runs. `make` alone lists it.

# Any Python 3.13 will do: `make dev PYTHON=/path/to/python3.13`.
PYTHON ?= python3.13
BIN := .venv/bin
export SAM_CLI_TELEMETRY := 0

# What `make dev` can be told, e.g. `make dev PARAMETERS="RetentionHours=48 LogLevel=DEBUG"`; of providers, too, by way of
# the environment: UCALLER_BASE_URL=…, and so for every one, and PROVIDERS='{"telefon_ip": {"window_seconds": 20}}'.
AWS_PORT ?= 4566
SIMULATOR_PORT ?= 4600
RECEIVER_PORT ?= 4650
DEV_DIR ?= .dev
# 0.0.0.0 lets containers of this machine in, and everybody who can reach it.
BIND_HOST ?= 127.0.0.1
PARAMETERS ?=
PROVIDERS ?=

.PHONY: help
help:
	@echo 'make dev         run the whole service on this machine, until Ctrl-C (<PROVIDER>_BASE_URL=… uses a real vendor)'
	@echo 'make install     create .venv, with the command that deploys and manages stacks: .venv/bin/callverify'
	@echo 'make test        run the tests that need no stack (2 minutes); see tests/README.md for the other suites'
	@echo 'make test-stack  run the tests on a local stack, with the page in Chromium (4 minutes; Chromium, Java 17, npm)'
	@echo 'make check       check lint, format, types, imports and template'
	@echo 'make format      format the code, and fix what ruff can fix'
	@echo 'make docs        regenerate the served API docs from docs/openapi.yaml'
	@echo 'make lock        write the requirement files, with hashes, from pyproject.toml (LOCK_OPTIONS=--upgrade: newest releases)'
	@echo 'make clean       remove everything that these commands created'
	@echo 'make help-more   show the other tests, attacks and measurements'

.PHONY: help-more
help-more:
	@echo 'make test-page     test the hosted page alone, in every state (Chromium, npm)'
	@echo 'make test-upgrade  test upgrade and rollback from 0.1.0, parameter changes, deployment and restore, on separate stacks'
	@echo 'make test-cognito  test sign-ins to a Cognito user pool, also with Amplify in a browser, on a separate stack (Chromium, npm)'
	@echo 'make test-engines  test the store under concurrent requests, and small attacks, on real database engines (Java 17, npm)'
	@echo 'make test-deep     test crashes at every point, requests in every order, 10,000 starts with failing vendors, and seeded faults (an hour)'
	@echo 'make vendor-clients  run public clients of the real vendors, unmodified, against the simulators'
	@echo 'make twilio-sdks   run Twilio's official SDKs for Python and Node.js, unmodified, on a local stack (npm)'
	@echo 'make sam-local     run every function in a container with sam local, on a separate local stack (needs Docker)'
	@echo 'make check-cloud   check the templates with checkov (.checkov.yaml lists the exceptions, with reasons)'
	@echo 'make build         run sam build, with compiled Python for much shorter cold starts'
	@echo 'make screens       take screenshots of every screen of the page into .screens, and update docs/screens'
	@echo 'make attack        run all attacks, and write the table of docs/threat-model.md (some minutes)'
	@echo 'make load          run hundreds of concurrent verifications on a local stack, and audit them (LOAD_OPTIONS=--journeys=3000)'
	@echo 'make felt          measure how soon the page shows the end: with push, without it, and with a lost report (FELT_OPTIONS=--calls=20)'
	@echo 'make growth        measure what a verification costs among 100, 1,000 and 10,000 others (needs Java 17 and npm)'
	@echo 'make scale         compute the tables of docs/scale.md from what make growth has measured'
	@echo 'make limits        simulate thousands of starts a second within DynamoDB's published limits (20 minutes)'
	@echo 'make bench         measure times, memory, sizes and requests into bench/RESULTS.md (some minutes; Linux, Java 17, npm)'

# The command is written with the environment.
.PHONY: install
install: .venv/.installed
	@echo 'Ready: .venv/bin/callverify, or `callverify` after `. .venv/bin/activate`'

.PHONY: dev
dev: .venv/.installed .venv-aws/.installed
	@PYTHONPATH=layers/callverify exec $(BIN)/python -m local.dev --aws-port '$(AWS_PORT)' --simulator-port '$(SIMULATOR_PORT)' \
	  --receiver-port '$(RECEIVER_PORT)' --dev-dir '$(DEV_DIR)' --bind-host '$(BIND_HOST)' \
	  --parameters '$(PARAMETERS)'

AXE := .axe/node_modules/axe-core/axe.min.js
ACORN := .axe/node_modules/acorn/dist/acorn.js

# Each process takes well under a gigabyte.
PYTEST := $(BIN)/pytest -n logical --dist worksteal
.PHONY: test
test: .venv/.installed .venv-aws/.installed
	$(PYTEST) -m 'not stack' --ignore=tests/providers/public_clients \
	  tests/unit tests/providers tests/service tests/repository tests/stack/leaks vendors

.PHONY: test-stack
test-stack: .venv/.installed .venv-aws/.installed .venv-clients/.installed .clients/.installed .venv-vendors-twilio/.installed \
  .twilio/.installed $(AXE) chromium java
	PYTHONPATH=.:layers/callverify $(BIN)/python -m tests.stack $(TEST_OPTIONS)

.PHONY: test-page
test-page: .venv/.installed $(AXE) $(ACORN) chromium
	$(BIN)/pytest -n 3 --dist worksteal tests/stack/browser/alone

.PHONY: test-upgrade
test-upgrade: .venv/.installed .venv-aws/.installed
	$(BIN)/pytest tests/stack/upgrade

.PHONY: test-cognito
test-cognito: .venv/.installed .venv-aws/.installed .clients/.installed chromium
	$(BIN)/pytest tests/stack/cognito

# The embedded AWS's and Amazon's own.
.PHONY: test-engines
test-engines: .venv/.installed .venv-aws/.installed java
	@$(BIN)/python -m tests.stack.engines.dynamodb_local
	ENGINES=embedded_aws,dynamodb_local $(BIN)/pytest tests/stack/engines tests/stack/attacks

# Everything that can happen at every point: `make test` has a part.
.PHONY: test-deep
test-deep: .venv/.installed
	CALLVERIFY_DEEP=1 CALLVERIFY_HISTORIES=2000 $(PYTEST) tests/service/crashes --ignore=tests/service/crashes/test_failures.py
	CALLVERIFY_DEEP=1 $(BIN)/pytest tests/service/crashes/test_failures.py
	PYTHONPATH=.:layers/callverify $(BIN)/python -m tests.deep.mutants

# Clients that pin old libraries or bring many, each in an environment of its own.
CLIENTS_APART := async-newtel twilio smsru-api aiosmsru
.PHONY: vendor-clients
vendor-clients: .venv/.installed .venv-vendors/.installed $(CLIENTS_APART:%=.venv-vendors-%/.installed)
	$(BIN)/pytest tests/providers/public_clients

# Twilio's own SDKs in front of the deployed service: `make test-stack` runs them too.
.PHONY: twilio-sdks
twilio-sdks: .venv/.installed .venv-aws/.installed .venv-vendors-twilio/.installed .twilio/.installed
	$(BIN)/pytest -n 3 tests/stack/twilio_sdks
.twilio/.installed: Makefile
	@command -v npm >/dev/null || { echo 'npm is needed: it brings the SDK for Node.js' >&2; exit 1; }
	npm install --silent --no-audit --no-fund --no-package-lock --prefix .twilio twilio@6.2.0
	@touch $@

.PHONY: chromium java
chromium:
	@(command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome) >/dev/null || \
	  { echo 'Chromium is needed: apt-get install chromium, or what your system calls it' >&2; exit 1; }
java:
	@command -v java >/dev/null || { echo 'Java 17 is needed: openapi-generator and DynamoDB Local run on it' >&2; exit 1; }

# All that the tests need, for CI.
.PHONY: tools
tools: .venv/.installed .venv-aws/.installed .venv-checkov/.installed .venv-clients/.installed .venv-vendors/.installed \
  .venv-vendors-twilio/.installed .clients/.installed .twilio/.installed $(AXE) $(ACORN)

# openapi-typescript wants TypeScript 5.
.clients/.installed: Makefile
	@command -v npm >/dev/null || { echo 'npm is needed for the client tests: it brings generators and linters' >&2; exit 1; }
	npm install --silent --no-audit --no-fund --no-package-lock --prefix .clients @redocly/cli@2.77.0 \
	  @stoplight/spectral-cli@6.16.3 aws-amplify@6.22.1 axios@1.21.1 better-auth@1.7.25 openapi-fetch@0.17.0 openapi-typescript@7.13.0 typescript@5.9.3
	@touch $@

.PHONY: screens
screens: .venv/.installed .venv-aws/.installed $(AXE)
	mkdir -p .screens
	SCREENS_DIR=.screens $(BIN)/pytest -n 2 tests/stack/browser/alone/test_screens.py
	SCREENS_DIR=.screens $(BIN)/pytest tests/stack/browser/test_by_hand.py
	@cd docs/screens && for picture in *.png; do cp "../../.screens/$$picture" .; done

# The browser tests' checks of accessibility, and of syntax for older browsers.
$(AXE) $(ACORN):
	@command -v npm >/dev/null || { echo 'npm is needed for the browser tests: it brings axe-core and acorn' >&2; exit 1; }
	npm install --silent --no-audit --no-fund --no-package-lock --prefix .axe axe-core@4.14.1 acorn@8.16.0

.PHONY: docs
docs: .venv/.installed
	@PYTHONPATH=layers/callverify $(BIN)/python -m tools.render_docs

.PHONY: attack
attack: .venv/.installed .venv-aws/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m attacks

LOAD_OPTIONS ?=
.PHONY: load
load: .venv/.installed .venv-aws/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench.load $(LOAD_OPTIONS)

FELT_OPTIONS ?=
.PHONY: felt
felt: .venv/.installed .venv-aws/.installed chromium
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench.felt $(FELT_OPTIONS)

.PHONY: growth scale limits
growth: .venv/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench.growth
scale: .venv/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench.scale
limits: .venv/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench.limits

.PHONY: check
check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.:layers/callverify $(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/cfn-lint template.yaml waf.yaml examples/cognito/pool.yaml examples/export/bucket.yaml
	$(BIN)/sam validate

.PHONY: check-cloud
check-cloud: .venv-checkov/.installed
	.venv-checkov/bin/checkov --config-file .checkov.yaml

.PHONY: format
format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# BENCH_OPTIONS=--quick: everything once, and no file.
BENCH_OPTIONS ?=
.PHONY: bench
bench: .venv/.installed .venv-aws/.installed
	@PYTHONPATH=.:layers/callverify $(BIN)/python -m bench $(BENCH_OPTIONS)

.PHONY: build
build: .venv/.installed
	$(BIN)/python -m local.build

.PHONY: sam-local
sam-local: .venv/.installed .venv-aws/.installed
	@docker info >/dev/null 2>&1 || { echo 'make sam-local: no Docker engine answers; start one, or set DOCKER_HOST' >&2; exit 1; }
	SAM_LOCAL=1 $(BIN)/pytest tests/stack/sam_local

LOCK_OPTIONS ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes \
  --python-version 3.13 --custom-compile-command 'make lock' $(LOCK_OPTIONS)
LAYER := layers/callverify/requirements.txt
DEV := requirements/dev.txt
# Lambda's runtime has a botocore.
PEER := --no-emit-package botocore --constraints $(LAYER)
.PHONY: lock
lock: .venv/.installed
	$(COMPILE) --group layer --output-file $(LAYER)
	$(COMPILE) --group dev --constraints $(LAYER) --output-file $(DEV)
	$(COMPILE) --group aws --output-file requirements/aws.txt
	$(COMPILE) --group checkov --output-file requirements/checkov.txt
	$(COMPILE) --group clients --output-file requirements/clients.txt
	$(COMPILE) --group vendor-clients --constraints $(DEV) --output-file requirements/vendor-clients.txt
	for client in $(CLIENTS_APART); do $(COMPILE) --group vendor-clients-$$client --output-file requirements/vendor-clients-$$client.txt || exit; done
	$(COMPILE) --group bench-runtime --constraints $(DEV) --output-file bench/runtime/requirements.txt
	$(COMPILE) --group bench-fastapi $(PEER) --output-file bench/peers/fastapi/requirements.txt
	$(COMPILE) --group bench-powertools $(PEER) --output-file bench/peers/powertools/requirements.txt

.PHONY: clean
clean:
	rm -rf .axe .bench .clients .screens .tools .twilio .venv .venv-aws .venv-checkov .venv-clients .venv-vendors .venv-vendors-* .aws-sam .dev .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two environments: the embedded AWS pins a botocore that the SAM CLI's does not match.
.venv/.installed: requirements/dev.txt local/install.py
.venv-aws/.installed: requirements/aws.txt
.venv-checkov/.installed: requirements/checkov.txt
.venv-clients/.installed: requirements/clients.txt
.venv-vendors/.installed: requirements/vendor-clients.txt
$(CLIENTS_APART:%=.venv-vendors-%/.installed): .venv-vendors-%/.installed: requirements/vendor-clients-%.txt
.venv/.installed .venv-aws/.installed .venv-checkov/.installed .venv-clients/.installed .venv-vendors/.installed $(CLIENTS_APART:%=.venv-vendors-%/.installed):
	@$(PYTHON) -c 'import sys; assert sys.version_info[:2] == (3, 13)' 2>/dev/null || \
	  { echo 'Python 3.13 is needed: install it, or name it with PYTHON=/path/to/python3.13' >&2; exit 1; }
	@$(PYTHON) -m local.install $(@D) $<
	@touch $@
