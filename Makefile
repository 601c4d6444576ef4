# Each target makes .venv and installs the locked versions when they are missing or have changed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
# stages call `python`; it has to be this one
RUN    := PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)"

.PHONY: repro test lint smoke ui serve bench install lock help

help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 18

repro: $(READY)  ## everything that is out of date: images, networks, tables, MLflow
	$(RUN) python -m zfrepro.lock
	$(RUN) dvc repro
	$(RUN) python -m zfrepro.report show

test: lint       ## lint, types and tests
	$(RUN) pytest

lint: $(READY)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

smoke: $(READY)  ## the whole graph in two minutes, and again, in a copy: this checkout stays as it is
	$(RUN) tests/smoke

ui: $(READY)     ## browse runs, curves and figures at http://127.0.0.1:5000
	$(RUN) MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///mlflow.db

# curl drops the line ends of base64
define ASK
Once it says "Uvicorn running", in another shell, with any image:

  printf '{"dataframe_records": [{"image": "%s"}]}' "$$(base64 < cat.jpg)" |
    curl --silent --data @- --header 'Content-Type: application/json' http://127.0.0.1:5001/invocations

endef
export ASK

serve: $(READY)  ## predictions of the best ZFNet for any image, at http://127.0.0.1:5001
	@echo "$$ASK"
	$(RUN) MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" \
	  mlflow models serve --model-uri models:/zfnet@best --env-manager local --port 5001

bench: $(READY)  ## speed against peers, into benchmarks/results/
	set -e; for name in $(basename $(notdir $(wildcard benchmarks/[!_]*.py))); do $(RUN) python -m benchmarks.$$name; done

install: $(READY)  ## .venv alone

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

lock:            ## resolves pyproject.toml anew into requirements.lock
	tests/lock $(PYTHON)
