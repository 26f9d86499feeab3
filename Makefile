# Everything a newcomer needs: `make demo` and `make test`. Only Python 3.11 and make have to be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# What Python compiles is kept, whatever the machine says: half of what collecting the tests takes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test test-integrations check format lock bench clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mainspring needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	$(BIN)/python -m compileall -q src
	touch $(READY)

demo: setup
	$(BIN)/mainspring demo $(ARGS)

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $(ARGS)

# What takes longer (kills, whole trainings, made-up requests), and what has an environment of its own
# in .cache (installs from the wheel, MLflow's clients, the training frameworks).
test-integrations: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow
	$(BIN)/python -m pytest -n 2 --dist loadfile tests_integrations $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config .importlinter

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Exact versions with hashes; the file names no index.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --output-file requirements.lock pyproject.toml

bench: setup
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m benchmarks.governance
	$(BIN)/python -m benchmarks.tracking
	$(BIN)/python -m benchmarks.serving

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
