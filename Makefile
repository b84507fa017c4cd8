# Relève. `make help` lists what there is to do; each recipe is a command you could type yourself.

PYTHON ?= python3
VENV := .venv
# Relative, and programs are run by its Python: the path of this folder may hold spaces, quotes and the like.
BIN := $(VENV)/bin
STAMP := $(VENV)/.releve-setup

# What truly cannot be: PATH has no way to write a colon, and setuptools takes `$x` for a variable.
ifneq ($(findstring :,$(CURDIR))$(findstring $$,$(CURDIR)),)
$(error the path of this folder, $(CURDIR), holds a ':' or a '$$', with which PATH or setuptools cannot work: move the project elsewhere)
endif

# The Python that makes .venv must not be the one in it, even where a shell has activated it.
OUTER_PATH := $(subst $(CURDIR)/$(BIN):,,$(PATH))

# DVC stages, flows and services start `python`, `dvc` and `git`: they must find this project's first.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Threads that wait for each other sleep: where others use the cores, too, spinning makes boosting ten times slower.
export OMP_NUM_THREADS ?= 2
export OMP_WAIT_POLICY ?= PASSIVE

# Nothing reports to anybody what you do here.
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := 1

# Trust whom this machine trusts, as pip does: behind a company's proxy, that includes the company.
export UV_SYSTEM_CERTS ?= true

# A project's own environment must not leak in from another one.
unexport PYTHONPATH
unexport PYTHONHOME

# Much here is a process of its own, and each would compile the project again.
unexport PYTHONDONTWRITEBYTECODE

# make test PYTEST_ARGS="-k gate -x" TEST_WORKERS=0   make repro DVC_ARGS="scenarios/digits/dvc.yaml"   make up UP_ARGS=...
PYTEST_ARGS ?=
TEST_WORKERS ?= 2
DVC_ARGS ?=
DEMO_ARGS ?=
GATE_AA_ARGS ?= --tries 400
DRIFT_BENCH_ARGS ?=
# What changes which model serves, or sets state aside, wants it named.
SCENARIO_IS_NAMED := $(value SCENARIO)
SCENARIO ?= digits
EVIDENTLY_PORT ?= 8001

# What people give arrives as they typed it: make expands nothing in it, and recipes read it as a shell variable in
# quotes, "$$TARGET". Without this `make scenario TARGET='price ($)'` would bring a column called "price (".
GIVEN := N NAME DATA TARGET TIME ID TASK SET SCENARIO BATCH ROW REASON DRY_RUN MODEL HTML WRITE SEARCH IN OUT LEDGER AGAIN RELEVE_HOME RELEVE_SCENARIO RELEVE_ENV FROM TO EXPERIMENT
$(foreach name,$(GIVEN),$(if $(filter undefined,$(origin $(name))),,\
  $(eval override $(name) := $$(value $(name)))$(eval export $(name))))

RELEVE = $(BIN)/python -m releve
# $(call given,NAME,an example,whether it is): ends the recipe where a name that it cannot do without was not given.
given = $(if $(3),,echo "error: $(1) is missing: make $@ $(1)=$(2)" >&2; exit 2;)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo fleet test test-fast test-whole test-system test-compat test-milvus drill lint up down status repro lock clean rebuild tidy erase ingest monitor retrain release promote rollback lifecycle archive scenario bring resubmit score card page board evidence history backtest gate-aa drift-bench evidently experiment experiments challenge

help:  ## Show this list
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Start
setup: $(STAMP)  ## Install everything, hash-checked, into .venv (a no-op when nothing has changed)

$(STAMP): export PATH := $(OUTER_PATH)

# A line every ten seconds while the recipe goes on, and none after it.
TICK = { passed=0; while sleep 10 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do \
	passed=$$((passed + 10)); echo "setup: $$passed s"; done; } & tick=$$!; trap "kill $$tick 2>/dev/null" EXIT;

# Two setups at once would destroy each other's $(VENV). A link is made in one step on every system, and holds the pid of
# the make that made it: one that a killed make left behind is taken over.
SETUP_LOCK := .releve-setup.lock
TAKE_SETUP_LOCK = if ! ln -sn "$$PPID" $(SETUP_LOCK) 2>/dev/null; then \
	  pid=$$(readlink $(SETUP_LOCK)); \
	  if kill -0 "$$pid" 2>/dev/null; then \
	    echo "error: another setup of this folder is at work (pid $$pid); wait for it. If $$pid is no make, delete $(SETUP_LOCK)" >&2; exit 1; fi; \
	  rm -f $(SETUP_LOCK); ln -sn "$$PPID" $(SETUP_LOCK); fi

# The stamp is written last: a setup that was interrupted or broken is begun again.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Relève needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -1). Name another: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. Install its venv module (Debian: python3-venv), or name another: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(TAKE_SETUP_LOCK)
	@rm -f $(STAMP)
	@echo "setup: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.requirement
	@$(TICK) $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.requirement
	@echo "setup: the packages of requirements.lock, each checked against its hash"
	@$(TICK) $(BIN)/python -m uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	@$(BIN)/python -m uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
	@rm -f $(SETUP_LOCK)
	@echo "setup: done"

fleet: setup  ## N=200 small scenarios, made below var/fleet: all of them ingest, monitor, refresh and release in one run
	@$(call given,N,200,$(value N)) $(BIN)/python -m examples.fleet -- "$$N"

demo: setup  ## The whole life of a model, in three minutes on a quiet machine; in var/, as the scenario digits
	@$(BIN)/python -m examples.demo $(DEMO_ARGS)

##@ Your table
# make scenario NAME=churn DATA=churn.csv TARGET=churned TIME=signed_up ID=customer TASK=binary SET=ingest.csv_encoding=cp1252
# All after TARGET may be left out; SET may hold several settings of params.yaml, with spaces between them.
scenario: setup  ## Describe a table as a scenario: NAME=churn DATA=churn.csv TARGET=churned, and TIME=, ID=, TASK=, SET=
	@$(RELEVE) scenario --data="$$DATA" --target="$$TARGET" --time="$$TIME" --id="$$ID" --task="$$TASK" --set="$$SET" -- "$$NAME"

bring: setup  ## The same by pages in a browser, one question at a time: upload a file, answer, watch, ask
	@$(RELEVE) guide

ingest: setup  ## Version the files that wait in var/incoming/SCENARIO (SCENARIO=digits, here and below)
	@$(RELEVE) $@ -- "$$SCENARIO"

resubmit: setup  ## Write rejected rows to a file, to fix and send again: SCENARIO=churn BATCH=00000002-f682ea4c
	@$(call given,BATCH,00000002-f682ea4c,$(value BATCH)) $(RELEVE) $@ -- "$$SCENARIO" "$$BATCH"

##@ Run
# A flow runs now, and is seen by the Prefect server that `make up` started:  make retrain SCENARIO=churn
monitor: setup  ## Drift report, realised quality, is a refresh or a search due?
	@$(RELEVE) $@ -- "$$SCENARIO"

retrain: setup  ## Train a challenger, judge it, and release it when it is accepted; SEARCH=1 tries other recipes, too, REWEIGH=1 fits nothing
	@$(RELEVE) $@ $${SEARCH:+--search} $${REWEIGH:+--reweigh} -- "$$SCENARIO"

release: setup  ## Release the accepted challenger of SCENARIO=churn
	@$(call given,SCENARIO,churn,$(SCENARIO_IS_NAMED)) $(RELEVE) $@ -- "$$SCENARIO"

promote: setup  ## Move what serves SCENARIO=churn from one environment to another: FROM=staging TO=prod, and REASON=
	@$(call given,SCENARIO,churn,$(SCENARIO_IS_NAMED)) $(call given,FROM,staging,$(value FROM)) $(call given,TO,prod,$(value TO)) $(RELEVE) $@ --from="$$FROM" --to="$$TO" $${REASON:+--reason="$$REASON"} -- "$$SCENARIO"

rollback: setup  ## Go back to the release before of SCENARIO=churn
	@$(call given,SCENARIO,churn,$(SCENARIO_IS_NAMED)) $(RELEVE) $@ -- "$$SCENARIO"

lifecycle: setup  ## The whole loop, once
	@$(RELEVE) $@ -- "$$SCENARIO"

backtest: setup  ## When should it retrain? Policies over its own history; WRITE=1 sets the recommended one
	@$(RELEVE) $@ $${WRITE:+--write} -- "$$SCENARIO"

score: setup  ## Answer a whole table by the model that serves: SCENARIO=churn IN=customers.csv OUT=var/scored; LEDGER=1, AGAIN=1
	@$(call given,IN,customers.csv,$(value IN)) $(call given,OUT,var/scored,$(value OUT)) $(RELEVE) $@ --in="$$IN" --out="$$OUT" $${LEDGER:+--ledger} $${AGAIN:+--again} -- "$$SCENARIO"

##@ Experiment
experiment: setup  ## Try other settings beside what serves: SCENARIO=churn SET="train.recipe=svm train.ensemble=false"; SEARCH=1 tries other recipes, too
	@$(RELEVE) $@ --set="$$SET" $${SEARCH:+--search} -- "$$SCENARIO"

experiments: setup  ## List the experiments of SCENARIO beside its champion
	@$(RELEVE) $@ -- "$$SCENARIO"

challenge: setup  ## Send EXPERIMENT=churn-1a2b3c4d to the gate, with no second training
	@$(call given,EXPERIMENT,churn-1a2b3c4d,$(value EXPERIMENT)) $(RELEVE) $@ $${REASON:+--reason="$$REASON"} -- "$$EXPERIMENT"

##@ Inspect
page: setup  ## Write the page of SCENARIO to var/pages, or to HTML=page.html: quality, drift, decisions, costs
	@$(RELEVE) $@ $${HTML:+--html="$$HTML"} -- "$$SCENARIO"

board: setup  ## What needs a person in any scenario, and the table of all of them: here and in var/pages/index.html
	@$(RELEVE) page $${HTML:+--html="$$HTML"}

card: setup  ## Print the model card of MODEL=churn:1a2b3c4d5e6f, or write it to HTML=card.html
	@$(call given,MODEL,churn:1a2b3c4d5e6f,$(value MODEL)) $(RELEVE) $@ $${HTML:+--html="$$HTML"} -- "$$MODEL"

evidence: setup  ## Pack all evidence of MODEL=churn:1a2b3c4d5e6f as OUT=pack.zip; `releve verify pack.zip` checks it
	@$(call given,MODEL,churn:1a2b3c4d5e6f,$(value MODEL)) $(call given,OUT,pack.zip,$(value OUT)) $(RELEVE) $@ --out="$$OUT" -- "$$MODEL"

history: setup  ## List what happened, by whom and why, oldest first
	@$(RELEVE) $@ -- "$$SCENARIO"

evidently: setup  ## Show the drift reports that RELEVE_EVIDENTLY_PAGES=1 keeps, in Evidently's own pages
	@exec $(BIN)/python $(BIN)/evidently ui --workspace "$${RELEVE_HOME:-var}/evidently" --host 127.0.0.1 --port $(EVIDENTLY_PORT)

##@ Operate
up: setup  ## Start Milvus, Prefect, its worker and the service, on this machine only
	@$(RELEVE) $@

down: setup  ## Stop what `make up` started
	@$(RELEVE) $@

status: setup  ## Show what runs, and where
	@$(RELEVE) $@

rebuild: setup  ## Build MODEL=churn:1a2b3c4d5e6f again, or the newest of SCENARIO: do the same bytes come out?
	@$(RELEVE) $@ -- "$${MODEL:-$$SCENARIO}"

tidy: setup  ## Compact the ledger of SCENARIO, and remove files of its old models, each once it was built again
	@$(RELEVE) $@ -- "$$SCENARIO"

# Prefect would keep the id for ever as a parameter of a run, so that there is no flow of it.
erase: setup  ## Erase the row ROW=C-1042 of SCENARIO=churn from batches, ledger and index; REASON= says why, DRY_RUN=1 shows what would leave
	@$(call given,SCENARIO,churn,$(SCENARIO_IS_NAMED)) $(call given,ROW,C-1042,$(value ROW)) $(RELEVE) $@ $${DRY_RUN:+--dry-run} $${REASON:+--reason="$$REASON"} -- "$$SCENARIO" "$$ROW"

archive: setup  ## Start SCENARIO=churn over, or archive it where its folder is gone: its state is kept aside
	@$(call given,SCENARIO,churn,$(SCENARIO_IS_NAMED)) $(RELEVE) $@ -- "$$SCENARIO"

##@ Develop
# A file's tests stay in one process, which makes what they share once; the longest begin (tests/conftest.py).
PYTEST = $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# Runs on after a failure, so that one run shows everything there is to fix. What wants one core for a minute is checked
# beside the tests, which wait for servers now and then, and is shown after them.
test: setup  ## Check style, types, layers and all that the other targets do not test
	@failed=""; told=$$(mktemp -d); \
	check() { name=$$1; shift; echo "== $$name"; "$$@" || failed="$$failed $$name"; }; \
	ended() { wait $$1; code=$$?; cat "$$2"; return $$code; }; \
	$(BIN)/python -m mypy >"$$told/types" 2>&1 & types=$$!; \
	$(BIN)/python $(BIN)/lint-imports >"$$told/layers" 2>&1 & layers=$$!; \
	check style $(BIN)/python -m ruff check .; \
	check format $(BIN)/python -m ruff format --check .; \
	check tests $(PYTEST) $(PYTEST_ARGS); \
	check types ended $$types "$$told/types"; \
	check layers ended $$layers "$$told/layers"; \
	rm -r "$$told"; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi; \
	echo "All checks passed: style, format, types, layers, tests"

test-fast: setup  ## The tests that need neither a server nor minutes
	@$(PYTEST) -m "not slow and not whole and not system and not compat and not drill and not milvus" $(PYTEST_ARGS)

test-whole: setup  ## The tests of the whole: the stack of `make up`, fleets, approvals, clusters, load, kills
	@$(PYTEST) -m whole $(PYTEST_ARGS)

test-system: setup  ## The tests with PostgreSQL, Chromium, Go, Java and Node of the system (apt-get install postgresql chromium ...)
	@$(BIN)/python -m tests.postgresql
	@$(PYTEST) -m system $(PYTEST_ARGS)

test-compat: setup  ## What others' clients and servers make of ours: installs them below var/compat (docs/compatibility.md)
	@$(BIN)/python -m pytest -m compat $(PYTEST_ARGS)

test-milvus: setup  ## The vector index against a whole Milvus 2.3.5, with its roles: installed below var/compat (docs/search.md)
	@$(BIN)/python -m pytest -m milvus tests/adapters/vectors $(PYTEST_ARGS)

# RELEVE_TEST_KILLS: moments of each kind; RELEVE_TEST_SEED, which it prints, brings the same moments again.
drill: setup  ## Kill, starve and double everything, at random moments: a release of Relève wants it (docs/drill.md)
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) -m drill tests/drill $(PYTEST_ARGS)

lint: setup  ## Style, types and layers; fixes what can be fixed by itself
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m mypy
	@$(BIN)/python $(BIN)/lint-imports

gate-aa: setup  ## How often the gate promotes an equal, and sees a known gain: writes docs/figures/gate_aa.* (eight minutes)
	@$(BIN)/python -m benchmarks.gate_aa $(GATE_AA_ARGS)

drift-bench: setup  ## How often drift is called where there is none, and a known shift is seen: writes docs/figures/drift.* (DRIFT_BENCH_ARGS="--table rent=rent.csv")
	@$(BIN)/python -m benchmarks.drift $(DRIFT_BENCH_ARGS)

repro: setup  ## Build every artifact that is out of date (dvc repro)
	@$(BIN)/python -m dvc repro $(DVC_ARGS)

lock:  ## Resolve the dependencies anew into the lock files
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV_COMPILE) --all-extras --output-file requirements.lock
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV_COMPILE) --extra search --extra telemetry --constraints requirements.lock --output-file requirements-service.lock
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV_COMPILE) --extra search --extra native --extra sentences --extra postgres --extra telemetry \
	  --constraints requirements.lock --output-file requirements-service-native.lock
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV_COMPILE) --extra search --extra monitoring --extra native --extra sentences --extra dask \
	  --extra pipeline --extra postgres --extra s3 --extra telemetry --extra evidence --extra lineage \
	  --constraints requirements.lock --output-file requirements-worker.lock

# No index address and no local folder may get into a lock file. `uv` may be any one: there may be no .venv yet.
UV_COMPILE = uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links

clean:  ## Remove .venv and caches; var/, which holds your state, stays
	@[ ! -x $(BIN)/python ] || $(RELEVE) down || true
	@rm -rf $(VENV) build dist releve.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
