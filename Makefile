# What there is to do here; `make` lists it. GNU make 3.81, as macOS has it, is enough.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Empty: the one that tools/find_python.sh finds.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/development.txt
# Each of the two has a Kafka of its own.
ALL_TESTS := -n 2 --dist worksteal
# Those that need no broker and no browser, a few at once since many of them wait.
QUICK_TESTS := -q -n 4 --dist worksteal -m "not kafka and not browser"
# Further arguments, as in: make demo ARGUMENTS="--seconds 20 --faults"
ARGUMENTS =
# How long to fuzz or to soak, and what to soak: faults, or full-topic with SCENARIO=full-topic CLIENT=librdkafka.
MINUTES = 20
SCENARIO = faults
# How many seeds to simulate, or the one whose story is told.
SEEDS = 1000
SEED =

.PHONY: help setup demo test check lint format docs screenshots simulate compiled mutants chaos fuzz soak benchmark profile audit lock clean

help: ## list the commands (what `make` alone does)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  make PYTHON=python3.13 setup               chooses the interpreter'
	@echo '  make demo ARGUMENTS="--seconds 20"         passes arguments on (also: benchmark)'

setup: $(VENV)/.installed ## make .venv with the locked dependencies; does nothing when nothing changed
	@:

demo: setup ## run Hookline between a Kafka and a service of its own, and show it
	@$(BIN)/hookline demo $(ARGUMENTS)

test: lint ## all checks and tests; the quick ones also compiled, on another Python if there is one
	chromium=`sh tools/find_chromium.sh $(BIN)/playwright` && CHROMIUM="$$chromium" $(BIN)/python -m pytest $(ALL_TESTS)
	@version=`$(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
	other=`sh tools/find_python.sh other $$version`; \
	if [ -z "$$other" ]; then echo "There is no other Python here than $$version: tested with that alone."; other=$(BIN)/python; fi; \
	kind=compiled; sh tools/can_compile.sh "$$other" || kind=venv; \
	folder=.cache/$$kind-`"$$other" -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
	$(MAKE) --no-print-directory PYTHON="$$other" $$folder/.installed && \
	echo "The quick tests once more, with $$folder" && \
	$$folder/bin/python -m pytest $(QUICK_TESTS) --hypothesis-profile=brief

check: lint ## format, lint, types and the quick tests, in under a minute
	$(BIN)/python -m pytest $(QUICK_TESTS) --hypothesis-profile=brief

lint: setup ## format, lint and types alone; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: setup ## take the pictures of the console that the documentation shows, from a real run
	chromium=`sh tools/find_chromium.sh $(BIN)/playwright` && CHROMIUM="$$chromium" $(BIN)/python -m tools.screenshots docs/images

docs: setup ## renew what the documentation has from the code, and build it as a site in build/site
	$(BIN)/python -m hookline.settings.reference docs
	$(BIN)/python -m tools.reference docs
	$(BIN)/python -m tools.build_site build/site
	@echo "The site: build/site/index.html"

compiled: .cache/compiled/.installed ## compile the delivery path, as it is published, and test it so
	.cache/compiled/bin/python -m pytest $(QUICK_TESTS) --hypothesis-profile=brief
	.cache/compiled/bin/python -m tests.simulation --seeds $(SEEDS)

simulate: setup ## let faults happen in simulated time and check what always holds (SEEDS=1000, or SEED=42 for a story)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGUMENTS)

mutants: setup ## plant bugs such as others shipped, one after the other, and have the simulation find each
	@nice -n 5 $(BIN)/python -m tests.mutants $(ARGUMENTS)

benchmark: setup ## measure, against the others too (ARGUMENTS="--help" lists the scenarios)
	@python=$(BIN)/python; \
	if sh tools/can_compile.sh $$python; then \
		$(MAKE) --no-print-directory .cache/compiled/.installed && python=.cache/compiled/bin/python || exit 1; \
	fi; \
	$$python -m benchmarks.run $(ARGUMENTS)

profile: setup ## a flame graph of the delivery path under load (ARGUMENTS="--in-flight 512 --delay-ms 5")
	@$(BIN)/python -m benchmarks.profile $(ARGUMENTS)

CLIENT = aiokafka
RECORDS = 60000
FAULTS = 16
chaos: setup ## let faults happen to real brokers, processes and a service, and take account (SEED=7 CLIENT=librdkafka, or both)
	@nice -n 5 $(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --client $(CLIENT) \
	--records $(RECORDS) --faults $(FAULTS) $(ARGUMENTS)

fuzz: setup ## try all tests of properties with ever new seeds (MINUTES=20, ARGUMENTS="--only http")
	@nice -n 5 $(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGUMENTS)

soak: setup ## run for long under load with faults, and plot memory, lag and rate (MINUTES=20 SCENARIO=full-topic)
	@nice -n 5 $(BIN)/python -m tests.soak --minutes $(MINUTES) --scenario $(SCENARIO) --client $(CLIENT) $(ARGUMENTS)

audit: ## look the locked packages up for published weaknesses (needs a network), and the code for its own
	@python="$(PYTHON)"; [ -n "$$python" ] || python=`sh tools/find_python.sh default` || exit 1; \
	sh tools/audit.sh "$$python" $(LOCK)

lock: ## renew the locked dependencies from pyproject.toml
	@python="$(PYTHON)"; [ -n "$$python" ] || python=`sh tools/find_python.sh default` || exit 1; \
	sh tools/lock.sh "$$python" $(LOCK)

clean: ## remove what was made here: environments, caches, builds
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/.build build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is out of date when the package or the lock changed after it was made, or another Python is asked for.
ifneq ($(PYTHON),)
ifneq ($(shell $(BIN)/python -V 2>&1),$(shell $(PYTHON) -V 2>&1))
$(VENV)/.installed: ANOTHER_PYTHON
endif
endif
.PHONY: ANOTHER_PYTHON

define MAKE_ENVIRONMENT
@python="$(PYTHON)"; [ -n "$$python" ] || python=`sh tools/find_python.sh default` || exit 1; \
sh tools/make_venv.sh "$$python" $(@D) $(LOCK)
@touch $@
endef

$(VENV)/.installed: pyproject.toml $(LOCK) tools/make_venv.sh
	$(MAKE_ENVIRONMENT)

# As published: out of date when any source changed.
define MAKE_COMPILED
@python="$(PYTHON)"; [ -n "$$python" ] || python=`sh tools/find_python.sh default` || exit 1; \
sh tools/make_compiled.sh "$$python" $(@D) $(LOCK)
@touch $@
endef

COMPILED_FROM := pyproject.toml hatch_build.py $(LOCK) tools/make_compiled.sh tools/make_venv.sh $(shell find src -name '*.py')
.cache/compiled/.installed: $(COMPILED_FROM)
	$(MAKE_COMPILED)

.cache/compiled-%/.installed: $(COMPILED_FROM)
	$(MAKE_COMPILED)

.cache/%/.installed: pyproject.toml $(LOCK) tools/make_venv.sh
	$(MAKE_ENVIRONMENT)
