# Two commands: `make demo` shows the main job on an embedded corpus, `make test` runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?=

.PHONY: demo test install clean

install: $(VENV)/installed

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,opensmile,rl,tensorboard]'
	touch $@

# KEEP=1 leaves the experiment up, for its web UI.
demo: install
	$(BIN)/emodarts run experiment.yml $(if $(KEEP),--keep)

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy trials/*.py benchmarks/*.py benchmarks/*/*.py
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

clean:
	rm -rf $(VENV) build dist *.egg-info
