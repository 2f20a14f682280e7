# make lab · make test · make bench · make env · make release · make solutions · make site
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := $(VENV)/.peers-installed
export TMPDIR := $(CURDIR)/.work/tmp
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: lab test bench env release solutions site lint clean
.DEFAULT_GOAL := lab

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@mkdir -p $(TMPDIR)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install -c constraints.txt -e ".[test]"
	@touch $(STAMP)

lab: env
	$(BIN)/jupyter lab --notebook-dir=notebooks

test: env
	@mkdir -p $(TMPDIR)
	$(BIN)/python -m pytest --nbval

# ROWS="vgg11 memory" measures what begins with these names only.
bench: env $(PEERS)
	$(BIN)/python -m benchmarks $(ROWS)

# fastai and Lightning, only to be compared with.
$(PEERS): $(STAMP)
	$(BIN)/python -m pip install -c constraints.txt -e ".[bench]"
	@touch $(PEERS)

lint: env
	$(BIN)/ruff check .

# The student copies are generated from notebooks/solutions/; never edit them by hand.
release: env
	$(BIN)/python -m labutils release

# Run the solutions in place, on the embedded sample (pictures of the real datasets are not committed).
solutions: env
	$(BIN)/python -m labutils run-solutions

# The solved series as web pages and PDF handouts, in site/.
site: env
	@mkdir -p $(TMPDIR)
	$(BIN)/python -m labutils site

clean:
	rm -rf $(VENV) .work
