# Two commands: `make demo` shows the main job on an embedded corpus, `make test` runs every check. `make coverage` runs the
# tests again and says which lines none of them reaches; that makes them half as slow again, so it is no part of `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KEEP ?=
# In the order of the files, so that no long file is left for the end.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test coverage install clean

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
	$(PYTEST)

coverage: install
	$(PYTEST) --cov=nni_emodarts --cov-report=term:skip-covered --cov-fail-under=85

clean:
	rm -rf $(VENV) build dist *.egg-info
