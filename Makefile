# Names for the commands that .ci/run runs, and for the picture in README.md.
.PHONY: install check format test picture ci

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

picture:
	docs/images/picture

ci:
	.ci/run
