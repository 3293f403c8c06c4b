# `make demo` and `make test` need Python 3.11 or later, make and pip; everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP := .venv/bin/pip --disable-pip-version-check
PACKAGES := cli configs gateway ovseg_core worker

.PHONY: demo up test lint format train-lite eval-lite test-training bench-overhead clean help

help:
	@echo "make demo            segment a photo through the whole service; pictures in ./output/"
	@echo "make up              the service at http://127.0.0.1:8080, until Ctrl-C"
	@echo "make test            every test, against real servers"
	@echo "make lint            ruff and mypy"
	@echo "make train-lite      train the bundled model (DATA=folder); make eval-lite measures it, make test-training tests it"
	@echo "make bench-overhead  what the service adds to the network's own time"

demo: .venv/embedded
	.venv/bin/ovseg demo --output output

up: .venv/embedded
	.venv/bin/ovseg up

test: .venv/dev
	.venv/bin/pytest

lint: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# SAM-Lite's training. DATA is a folder with annotations.json (COCO's format) and images/.
train-lite: .venv/training
	.venv/bin/python -m training train --data $(DATA)
	.venv/bin/python -m training export

eval-lite: .venv/dev
	.venv/bin/python -m training evaluate --data $(DATA)

test-training: .venv/training
	.venv/bin/pytest tests/training

bench-overhead: .venv/dev
	.venv/bin/python benchmarks/overhead.py

clean:
	rm -rf .venv output

.venv/embedded: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed: make PYTHON=..."'
	$(PYTHON) -m venv .venv
	$(PIP) install --editable '.[embedded,openvino]'
	@# opencv-python wants libGL, which a machine without a desktop lacks; its twin without windows does not.
	.venv/bin/python -c 'import cv2' 2>/dev/null || $(PIP) install --force-reinstall --no-deps opencv-python-headless
	touch $@

.venv/training: .venv/dev
	$(PIP) install --editable '.[embedded,openvino,dev,training]'
	touch $@

.venv/dev: .venv/embedded
	$(PIP) install --editable '.[embedded,openvino,dev]'
	touch $@
