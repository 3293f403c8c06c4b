# A worker on one NVIDIA GPU; run one for each.
#   docker build -f deploy/worker-gpu.Dockerfile -t ovseg-worker-gpu .
#   docker run --gpus '"device=1"' --env-file .env -v models:/models -v cache-gpu:/cache ovseg-worker-gpu
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ovseg-worker-gpu" \
      org.opencontainers.image.source="https://github.com/ovseg/ovseg" \
      org.opencontainers.image.licenses="Apache-2.0"

# System libraries of OpenCV and Paddle that the slim image lacks
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /cache ovseg \
    && install --directory --owner ovseg /models /cache
WORKDIR /app
# Before the sources, so that a change of code installs nothing again. The CUDA build of Paddle comes from Paddle's own
# index (PyPI's ends at 2.6.2) and brings the CUDA libraries along as wheels. For another CUDA version name its index.
ARG PADDLE_INDEX=https://www.paddlepaddle.org.cn/packages/stable/cu126/
COPY locks/worker-gpu.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement locks/worker-gpu.txt \
    && pip install --no-cache-dir paddlepaddle-gpu==3.3.1 --index-url "$PADDLE_INDEX" \
        --extra-index-url https://pypi.org/simple
COPY pyproject.toml README.md LICENSE ./
COPY ovseg ovseg
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# By number: Kubernetes' runAsNonRoot refuses a name, which it cannot judge.
USER 10001
# /models has weights and may be mounted read-only; /cache has what the worker makes of them, is its home, and keeps the
# kernels that CUDA compiles at the first start (~/.nv).
ENV PYTHONUNBUFFERED=1 HOME=/cache OVSEG_MODELS_DIR=/models OVSEG_ENGINES_DIR=/cache/engines
VOLUME ["/models", "/cache"]
# The container sees only the GPUs it was given; the first of them is 0.
CMD ["ovseg", "worker", "--device", "gpu:0"]
