# Names for the commands that .ci/run runs, and for the picture in README.md.
.PHONY: install check format test web picture ci

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

# The page: needs npm and Node.js 20.19 or later.
web:
	cd clients/web && npm ci && npm run lint && npm run typecheck && npm test && npm run build

picture:
	docs/images/picture

ci:
	.ci/run
