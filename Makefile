# Names for the commands that .ci/run runs, for the lock, and for the picture in README.md.
.PHONY: install lock check format test web protocol packages picture ci

install:
	pip install -c constraints.txt -e '.[dev]'

# constraints.txt anew, with the newest versions that pyproject.toml allows. Then run `make ci`.
lock:
	.ci/lock

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

# What is made of the protocol's messages in server/web: schema, tables, the clients' types.
protocol:
	python -m server.serving.protocol_doc
	python -m server.serving.protocol_types

# Wheel and source distribution, built, checked and tried.
packages:
	.ci/packages

picture:
	docs/images/picture

ci:
	.ci/run
