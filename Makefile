# The four things people do here (CONTRIBUTING.md); each installs what it needs below .venv.
.PHONY: check test docs locks

check:
	locks/install.sh test .venv/test
	.venv/test/bin/ruff check
	.venv/test/bin/ruff format --check
	.venv/test/bin/mypy

test:
	tests/run $(ARGS)

docs:
	locks/packages.sh docs .venv/docs
	NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --strict

locks:
	locks/installer.sh python3
	PATH="$(CURDIR)/.venv/installer/bin:$$PATH" locks/compile.sh
