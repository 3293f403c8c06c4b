# `make demo` and `make test` need Python 3.11 or later, make and pip. Everything else is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP := .venv/bin/pip --disable-pip-version-check
# First the exact versions and hashes of locks/*.txt; then the project itself and its Python client, built with the tools that the lock contains.
LOCKED := install --require-hashes --requirement
OURSELVES := install --no-deps --no-build-isolation --editable . --editable clients/python
TRAINED := build/sam-lite/sam_lite.safetensors

# Some containers set it. Without bytecode, each of the hundreds of processes that the tests start compiles our code again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo openapi fuzz-api up test quick orders chaos-small chaos attack-small attack lint format docs screenshots hooks lock pin-images train-lite ship-lite eval-lite eval-precision eval-everything eval-text test-training parity parity-idea bench bench-cost bench-overhead bench-decoding bench-slow-clients bench-streams bench-interactive bench-batches bench-models bench-playground bench-clients clean help

help:
	@echo "make demo            segment a photo with the whole service; writes pictures to ./output/"
	@echo "make up              run the service at http://127.0.0.1:8080 until Ctrl-C"
	@echo "make test            run every test, against real servers; make quick: those that need none, in half a minute"
	@echo "make orders          try all orders of changes of which make test tries two fifths, in two minutes"
	@echo "make chaos-small     run 400 jobs through kills and outages, in two minutes; make chaos: 5,000 jobs, in half an hour"
	@echo "make attack-small    send malformed requests, damaged images, bombs and slow hosts, in two minutes; make attack: all kinds of them"
	@echo "make fuzz-api        send 200 random requests of every kind that the OpenAPI document describes, for minutes"
	@echo "make lint            check with ruff, mypy and import-linter"
	@echo "make docs            build the documentation as a site in build/docs; a warning is an error"
	@echo "make screenshots     take the pictures of the playground and the console for the documentation, in the Chromium of this machine"
	@echo "make openapi         renew docs/openapi.json after a change of the HTTP API"
	@echo "make hooks           run ruff before each commit (pre-commit)"
	@echo "make lock            renew locks/*.txt after a change of pyproject.toml; UPGRADE=--upgrade takes the newest version of everything"
	@echo "make pin-images      add the digests of the base images to their tags; needs docker buildx and access to the registries"
	@echo "make train-lite      train the bundled model further (DATA=folders); make eval-lite, make eval-precision and make eval-everything measure it; make ship-lite bundles it"
	@echo "make eval-text       measure text prompts on labelled photos (DATA=folder, DETECTOR=name, MODEL=name): AP, false answers, time"
	@echo "make parity          compare the networks with the original implementations, and with PaddleX's whole pipeline"
	@echo "make parity-idea     compare Grounding DINO with IDEA's own code"
	@echo "make bench           compare speed with PaddleX and torch, and measure the service under load; writes benchmarks/RESULTS.md"
	@echo "make bench-models    measure how long each network takes on this machine"
	@echo "make bench-cost      measure the CPU time and the calls to Redis and S3 of a small job"
	@echo "make bench-overhead  measure the time that the service adds to the network's own time"
	@echo "make bench-decoding  compare the CPU time of decoding in a child process and in the same process"
	@echo "make bench-interactive   measure how long a click takes while 500 images wait"
	@echo "make bench-batches   measure the time and the memory that a batch of 100,000 items takes"
	@echo "make bench-clients   compare what a caller's code does with the Python clients of fal, Replicate, Roboflow and ours, in ten minutes"
	@echo "make bench-playground    measure in a browser how fast the playground shows masks and moves the photo"
	@echo "make bench-streams   measure what 1,000 open event streams cost a gateway"
	@echo "make bench-slow-clients   measure how soon other clients are answered while there are hundreds of slow clients"

demo: .venv/embedded
	.venv/bin/ovseg demo --output output

up: .venv/embedded
	.venv/bin/ovseg up

# Four at a time, whatever the number of cores: most tests wait for a process or a timeout. To run one test:
# .venv/bin/pytest tests/folder/test_file.py -k name
test: .venv/dev
	.venv/bin/pytest -n 4

quick: .venv/dev
	.venv/bin/pytest -m "not slow"

# The tests whose orders of changes hypothesis chooses: tests/support/orders.py.
orders: .venv/dev
	HYPOTHESIS_PROFILE=full .venv/bin/pytest -n 4 $(shell grep -rl orders.count tests --include 'test_*.py')

# No job is lost and no end of a job has two event ids, no matter which process dies. The figures are in docs/reliability.md.
chaos-small: .venv/dev
	.venv/bin/python -m tests.chaos small

chaos: .venv/dev
	.venv/bin/python -m tests.chaos full

# Hostile requests, images and hosts. The figures are in docs/security.md.
attack-small: .venv/dev
	.venv/bin/python -m tests.attack small

attack: .venv/dev
	.venv/bin/python -m tests.attack full

# What tests/gateway/test_schemathesis.py does in `make test`, with more requests, which differ in each run.
fuzz-api: .venv/dev
	API_EXAMPLES=200 .venv/bin/pytest tests/gateway/test_schemathesis.py --timeout 3600

lint: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache --no-logo

format: .venv/dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# Each build starts from nothing (5 seconds), because settings, commands and docstrings are read from the code.
docs: .venv/dev
	.venv/bin/sphinx-build --fresh-env --quiet --fail-on-warning --keep-going docs build/docs

screenshots: .venv/dev
	.venv/bin/python -m docs.screenshots
	.venv/bin/python -m docs.console_screenshots

openapi: .venv/dev
	.venv/bin/ovseg openapi > docs/openapi.json

hooks: .venv/dev
	.venv/bin/pre-commit install

# SAM-Lite's training. DATA is one folder or several with annotations.json (COCO's format) and images/. It starts with the shipped
# weights (START=imagenet: without them) and writes build/sam-lite/sam_lite.safetensors. The same command resumes a training.
train-lite: .venv/training
	.venv/bin/python -m training train --data $(DATA) $(if $(START),--start $(START)) $(if $(STEPS),--steps $(STEPS)) $(if $(RATE),--rate $(RATE)) $(if $(SEED),--seed $(SEED))
	.venv/bin/python -m training export --to $(TRAINED)

# Makes the trained weights those of the library, and renews what is made from them.
ship-lite: .venv/training
	cp $(TRAINED) ovseg_core/models/weights/sam_lite.safetensors
	.venv/bin/python -m training graphs
	.venv/bin/ovseg models quantize SAM-Lite --photos $(firstword $(DATA))/images
	.venv/bin/ovseg models check SAM-Lite --record ovseg/model_check/answers/SAM-Lite.json

# WEIGHTS=file measures other weights beside the shipped ones.
eval-lite: .venv/dev
	.venv/bin/python -m training evaluate --data $(DATA) $(if $(WEIGHTS),--weights $(WEIGHTS))

# PRECISION is bfloat16 or int8; WEIGHTS=file as above, PHOTOS=20 measures a part of the photos.
eval-precision: .venv/dev
	.venv/bin/python -m training agreement --data $(DATA) --precision $(PRECISION) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(PHOTOS),--photos $(PHOTOS))

# Without SEARCH: the chosen options, on held-out photos. With it: every combination of some options, on other photos, such
# as SEARCH='{"points_per_side": [16, 24], "box_nms_thresh": [0.5, 0.6]}' PHOTOS=20.
eval-everything: .venv/dev
	.venv/bin/python -m training everything --data $(DATA) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(SEARCH),--search '$(SEARCH)') $(if $(PHOTOS),--photos $(PHOTOS))

# Text prompts on labelled photos: DATA is a folder with annotations.json (COCO's or LVIS' format) and images/.
eval-text: .venv/dev
	.venv/bin/python -m training words --data $(DATA) $(if $(DETECTOR),--detector $(DETECTOR)) $(if $(MODEL),--model $(MODEL)) \
		$(if $(WEIGHTS),--detector_dir $(WEIGHTS)) $(if $(PHOTOS),--photos $(PHOTOS))

test-training: .venv/training
	.venv/bin/pytest tests/training tests/ovseg_core/test_int8.py

# PaddleX, segment-anything, transformers and MobileSAM need packages that this project does not, so they have their own venv.
parity: .venv-parity/ready
	.venv-parity/bin/pytest tests/parity -W ignore

# IDEA's Grounding DINO needs an older transformers than that of `make parity`.
parity-idea: .venv-parity-idea/ready
	.venv-parity-idea/bin/pytest tests/parity/test_idea_grounding_dino.py -W ignore

# Takes an hour. The machine should be idle otherwise.
bench: .venv-parity/ready
	.venv-parity/bin/python -m benchmarks.peers
	.venv-parity/bin/python -m benchmarks.peers --models SAM-H --engines "openvino auto" --repeats 1 \
		--to benchmarks/results/peers_sam_h.json
	.venv-parity/bin/python -m benchmarks.peers --models SAM2.1-T SAM2.1-B+ --engines openvino "openvino auto" \
		--to benchmarks/results/peers_sam2.json
	.venv-parity/bin/python -m benchmarks.everything
	.venv-parity/bin/python -m benchmarks.detectors
	.venv-parity/bin/python -m benchmarks.service
	.venv-parity/bin/python -m benchmarks.service --network sam_b --clients 1 8 64 --distinct-jobs 8 --their-jobs 2 \
		--to benchmarks/results/service_sam_b.json
	.venv-parity/bin/python -m benchmarks.throughput
	.venv-parity/bin/python -m benchmarks.busy
	.venv-parity/bin/python -m benchmarks.cost
	.venv-parity/bin/python -m benchmarks.report

bench-cost: .venv/dev
	.venv/bin/python -m benchmarks.cost

bench-overhead: .venv/dev
	.venv/bin/python -m benchmarks.overhead

bench-decoding: .venv/dev
	.venv/bin/python -m benchmarks.decoding

# What a caller's code does with fal's, Replicate's and Roboflow's Python clients and with ours: docs/compared-clients.md.
bench-clients: .venv/dev .venv-clients/ready
	.venv/bin/python -m benchmarks.clients

bench-slow-clients: .venv/dev
	.venv/bin/python -m benchmarks.slow_clients

bench-streams: .venv/dev
	.venv/bin/python -m benchmarks.streams

bench-interactive: .venv/dev
	.venv/bin/python -m benchmarks.interactive

bench-batches: .venv/dev
	.venv/bin/python -m benchmarks.batches

bench-playground: .venv/dev
	.venv/bin/python -m benchmarks.playground

bench-models: .venv/dev
	.venv/bin/python -m benchmarks.models

# There is one lock for each thing that is installed. All have the versions of dev.txt, because the tests run those. A version
# that still fits is kept. Two locks also have what the Python client needs. The extras training, parity, bench and int8 are not locked: nothing of them is shipped, torch has
# a build for each kind of machine, and PaddleX pins versions that contradict ours.
COMPILE := .venv-lock/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock' $(UPGRADE)
LIKE_DEV := --group build --constraints locks/dev.txt --output-file

lock: .venv-lock/bin/uv
	$(COMPILE) pyproject.toml clients/python/pyproject.toml --extra embedded --extra openvino --extra onnxruntime --extra dev \
		--group build --output-file locks/dev.txt
	$(COMPILE) pyproject.toml clients/python/pyproject.toml --extra embedded --extra openvino --extra text --extra fonts \
		$(LIKE_DEV) locks/service.txt
	$(COMPILE) --group gateway $(LIKE_DEV) locks/gateway.txt
	$(COMPILE) pyproject.toml --extra openvino --extra onnxruntime --extra text --extra fonts $(LIKE_DEV) locks/worker.txt
	@# paddlepaddle-gpu replaces paddlepaddle; it comes from Paddle's own index.
	$(COMPILE) pyproject.toml --no-emit-package paddlepaddle --extra text --extra fonts $(LIKE_DEV) locks/worker-gpu.txt
	sed -n 's/^opencv-python==\([^ ]*\).*/opencv-python-headless==\1/p' locks/dev.txt \
		| $(COMPILE) --no-deps --output-file locks/headless.txt -

pin-images:
	$(PYTHON) deploy/pin_images.py

clean:
	rm -rf .venv .venv-lock .venv-parity .venv-parity-idea .venv-clients build output

.venv-lock/bin/uv:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip --disable-pip-version-check install 'uv>=0.6'

.venv-parity/ready: pyproject.toml
	$(PYTHON) -m venv .venv-parity
	@# sam2's build needs torch. Without isolation it takes the one that is installed, and not a second one.
	.venv-parity/bin/pip --disable-pip-version-check install setuptools torch==2.14.1 torchvision==0.29.1
	SAM2_BUILD_CUDA=0 .venv-parity/bin/pip --disable-pip-version-check install --no-build-isolation 'sam2>=1.1'
	.venv-parity/bin/pip --disable-pip-version-check install --editable '.[embedded,openvino,onnxruntime,dev,parity,bench,int8]'
	touch $@

.venv-parity-idea/ready: pyproject.toml
	$(PYTHON) -m venv .venv-parity-idea
	@# The package's build needs torch, like sam2's.
	.venv-parity-idea/bin/pip --disable-pip-version-check install setuptools wheel torch==2.14.1 torchvision==0.29.1 'transformers<5'
	.venv-parity-idea/bin/pip --disable-pip-version-check install --no-build-isolation 'groundingdino-py>=0.4'
	.venv-parity-idea/bin/pip --disable-pip-version-check install --editable '.[embedded,openvino,dev]'
	touch $@

# The versions that docs/compared-clients.md has numbers of.
.venv-clients/ready: clients/python/pyproject.toml
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip --disable-pip-version-check install fal-client==1.0.3 replicate==1.0.7 inference-sdk==1.8.3 ./clients/python
	touch $@

.venv/embedded: pyproject.toml clients/python/pyproject.toml locks/service.txt locks/headless.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed: make PYTHON=..."'
	$(PYTHON) -m venv .venv
	$(PIP) $(LOCKED) locks/service.txt
	$(PIP) $(OURSELVES)
	@# opencv-python needs libGL, which is missing on a machine without a desktop; opencv-python-headless does not need it.
	.venv/bin/python -c 'import cv2' 2>/dev/null || $(PIP) $(LOCKED) locks/headless.txt --force-reinstall --no-deps
	touch $@

.venv/training: .venv/dev
	$(PIP) install --editable '.[embedded,openvino,onnxruntime,dev,training,int8]'
	touch $@

.venv/dev: .venv/embedded locks/dev.txt
	$(PIP) $(LOCKED) locks/dev.txt
	touch $@
