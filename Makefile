# Everything here needs python3 (3.11 or later) and make; each target brings .venv to the level it needs.
#
#   make demo       make a wallet, sign, see an EVM accept it      make check     format, lint, types, layers
#   make test       the tests                                      make simulate  2,000 seeded schedules of each protocol
#   make test-long  the tests that take minutes                    make bench     timings of the protocols
#   make mutate     break each guard, see a test notice
#   make lock       resolve the locks anew                         make clean     remove what the others made
#
# ARGS is handed on: make demo ARGS=--explain, make test ARGS="tests/unit -x". WORKERS is how many processes test.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
export PYTHON

.PHONY: demo test test-long test-postgresql check simulate mutate bench lock clean

demo:
	@tools/environment demo
	@.venv/bin/quorate demo $(ARGS)

# Two workers, each with whole modules: networks of processes are made once for a module.
test:
	@tools/environment test
	@.venv/bin/python -m pytest -n $(WORKERS) --dist loadscope $(ARGS)

test-long:
	@tools/environment test
	@.venv/bin/python -m pytest -m long $(ARGS)

# Like test, on a machine where a missing PostgreSQL is an error and not a reason to skip.
test-postgresql:
	@tools/environment test
	@QUORATE_REQUIRE=postgresql .venv/bin/python -m pytest -n $(WORKERS) --dist loadscope $(ARGS)

check:
	@tools/environment dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy --strict src
	.venv/bin/lint-imports

simulate:
	@tools/environment demo
	@.venv/bin/python -m quorate.testing.simulate $(ARGS)

mutate:
	@tools/environment test
	@.venv/bin/python tools/mutate $(ARGS)

bench:
	@tools/environment demo
	@.venv/bin/quorate bench $(ARGS)

lock:
	@tools/environment dev
	@PATH="$(CURDIR)/.venv/bin:$$PATH" tools/lock $(ARGS)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
