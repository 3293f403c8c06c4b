# A worker on CPU cores.
#   docker build -f deploy/worker.Dockerfile -t ovseg-worker .
#   docker run --env-file .env -v models:/models -v cache:/cache ovseg-worker
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ovseg-worker" \
      org.opencontainers.image.source="https://github.com/ovseg/ovseg" \
      org.opencontainers.image.licenses="Apache-2.0"

# System libraries of OpenCV and Paddle that the slim image lacks
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /cache ovseg \
    && install --directory --owner ovseg /models /cache
WORKDIR /app
# The packages come before the sources, so that a change of code does not install them again.
COPY locks/worker.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement locks/worker.txt
COPY pyproject.toml README.md LICENSE ./
COPY ovseg ovseg
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# The user is a number, because Kubernetes' runAsNonRoot cannot check a name and refuses it.
USER 10001
# /models contains weights and may be mounted read-only. /cache contains the networks that the worker translates from them,
# and is its home folder.
ENV PYTHONUNBUFFERED=1 HOME=/cache OVSEG_MODELS_DIR=/models OVSEG_ENGINES_DIR=/cache/engines
VOLUME ["/models", "/cache"]
CMD ["ovseg", "worker", "--device", "cpu"]
