# `make` lists the targets.
PYTHON ?= $(shell test -x .venv/bin/python && echo .venv/bin/python || echo python3)
TORCH_INDEX ?=
MMCV_LINKS ?=
CONSTRAINTS ?=
export CONSTRAINTS
PRETRAIN_ONLY ?=
BENCH ?=

VENV_PYTHON := .venv/bin/python
PYTEST := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(VENV_PYTHON) -m pytest -n auto --maxprocesses 8

.PHONY: help setup env demo demo-full bench test test-long docs lint format clean clean-env

help:
	@echo 'make setup      create .venv (options: PYTHON=python3.13, TORCH_INDEX=<index of CPU wheels>,'
	@echo '                MMCV_LINKS=<page of wheels>, PRETRAIN_ONLY=1)'
	@echo 'make demo       pretrain a small BootMAE and see what it is worth with labels; make demo-full'
	@echo '                adds detection, and two more seeds'
	@echo 'make bench      measure speed and memory of pretraining here (option: BENCH="--quick")'
	@echo 'make test       run the tests; make test-long runs those that take minutes'
	@echo 'make docs       build the documentation into site/; a broken reference is an error'
	@echo 'make lint       check style and format; make format puts the format right'
	@echo 'make clean      remove caches and builds; make clean-env removes .venv'

setup: env
	@echo 'The environment .venv is ready. Go on with'
	@echo '  make demo    see it work, in some five minutes'
	@echo '  make test    run the tests'
	@echo '  tools/dist_train.sh configs/pretrain/bootmae_vitb_800e.py 8    pretrain on 8 GPUs'

env:
	@command -v $(PYTHON) >/dev/null || { echo \
		'Set-up failed: there is no $(PYTHON) here: name a Python 3.10 to 3.13 with PYTHON=<path>.' >&2; exit 1; }
	@$(PYTHON) tools/setup_env.py --torch-index '$(TORCH_INDEX)' --mmcv-links '$(MMCV_LINKS)' \
		--pretrain-only '$(PRETRAIN_ONLY)'

demo: env
	$(VENV_PYTHON) tools/demo.py

demo-full: env
	$(VENV_PYTHON) tools/demo.py --full

bench: env
	$(VENV_PYTHON) benchmarks/bench.py $(BENCH)

test: env
	$(PYTEST) -m 'not long'

test-long: env
	$(PYTEST) -m long

docs: env
	$(VENV_PYTHON) -m sphinx --fail-on-warning --fresh-env --quiet docs site
	@echo 'The documentation is in site/index.html.'

lint: env
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .

format: env
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

clean:
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache
	find bootmae_mm configs tests tools -name __pycache__ -prune -exec rm -rf {} +

clean-env:
	rm -rf .venv
