# Each target makes .venv and installs the locked versions when they are missing or have changed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
PORT   ?= 5000
# stages call `python`; it has to be this one
RUN    := PATH="$$PWD/$(BIN):$$PATH" VIRTUAL_ENV="$$PWD/$(VENV)"
# an environment holds the path of its folder, and so does $(READY)
MOVED  := $(shell [ -s $(READY) ] && [ "$$(cat $(READY))" != "$$(pwd -P)" ] && echo moved)
# pip's bars on a terminal, else a line a phase
PIP    := $(BIN)/python -m pip install --disable-pip-version-check $(shell [ -t 2 ] || echo --quiet)

.PHONY: repro test lint smoke look ui serve bench install lock help moved

help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 18

repro: $(READY)  ## everything that is out of date: images, networks, tables, MLflow
	$(RUN) python -m zfrepro.lock
	$(RUN) python -m dvc repro
	$(RUN) python -m zfrepro.report show
	@git diff --quiet -- dvc.lock 2>/dev/null; test $$? != 1 || \
	  echo "dvc.lock has changed: it holds what was made here, and results of two machines differ in rounding. Commit it, or leave it"

test: lint       ## lint, types and tests
	$(RUN) OMP_NUM_THREADS=1 python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(RUN) python -m ruff check .
	$(RUN) python -m ruff format --check .
	$(RUN) python -m mypy

smoke: $(READY)  ## the whole graph in two minutes, and again, in a copy: this checkout stays as it is
	$(RUN) tests/smoke

look: $(READY)   ## look inside any network at http://127.0.0.1:8050 (PORT=8060: elsewhere)
	$(RUN) python -m zfrepro.look $(if $(filter command,$(firstword $(origin PORT))),--port $(PORT))

ui: $(READY)     ## browse runs, curves and figures at http://127.0.0.1:5000 (PORT=5050: elsewhere)
	$(RUN) python -m zfrepro.tracking ui --port $(PORT)

# curl drops the line ends of base64
define ASK
Once it says "Uvicorn running", in another shell, with any image:

  printf '{"dataframe_records": [{"image": "%s"}]}' "$$(base64 < docs/cat.jpg)" |
    curl --silent --data @- --header 'Content-Type: application/json' http://127.0.0.1:5001/invocations

endef
export ASK

serve: $(READY)  ## predictions of the best ZFNet for any image, at http://127.0.0.1:5001
	@test -n "$$MLFLOW_TRACKING_URI" -o -f results/published.json || \
	  { echo "error: no network is registered yet: make repro" >&2; exit 1; }
	@echo "$$ASK"
	$(RUN) MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="$$($(BIN)/python -m zfrepro.tracking uri)" \
	  python -m mlflow models serve --model-uri models:/zfnet@best --env-manager local --port 5001

bench: $(READY)  ## speed against peers, into benchmarks/results/
	set -e; for name in $(basename $(notdir $(wildcard benchmarks/[!_]*.py))); do $(RUN) python -m benchmarks.$$name; done

install: $(READY)  ## .venv alone

$(READY): requirements.lock pyproject.toml $(MOVED)
	@$(PYTHON) tools/preflight.py
	@echo "1 of 3: a Python environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "2 of 3: the packages of requirements.lock, 7 GB once unpacked: three to ten minutes"
	@$(PIP) --requirement requirements.lock
	@echo "3 of 3: zfrepro itself"
	@$(PIP) --no-deps --editable .
	@pwd -P > $@

moved:
	@echo "this folder was elsewhere when $(VENV) was made: it is made anew"
	@rm -rf $(VENV)

lock:            ## resolves pyproject.toml anew into requirements.lock
	tests/lock $(PYTHON)
