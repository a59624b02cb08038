# Names for the commands that .ci/run runs.
.PHONY: install check format test ci

install:
	pip install -e '.[dev]'

check:
	ruff format --check .
	ruff check .
	mypy

format:
	ruff format .
	ruff check --fix .

test:
	pytest

ci:
	.ci/run
