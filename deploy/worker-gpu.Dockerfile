# A worker on one NVIDIA GPU. Run one container for each GPU.
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
# The packages come before the sources, so that a change of code does not install them again. The CUDA build of Paddle
# comes from Paddle's own index (PyPI's ends at 2.6.2), which also has the CUDA libraries as wheels. For another CUDA version,
# set PADDLE_INDEX to that version's index.
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

# The user is a number, because Kubernetes' runAsNonRoot cannot check a name and refuses it.
USER 10001
# /models contains weights and may be mounted read-only. /cache contains the networks that the worker translates from them,
# is its home folder, and keeps the kernels that CUDA compiles at the first start (~/.nv).
ENV PYTHONUNBUFFERED=1 HOME=/cache OVSEG_MODELS_DIR=/models OVSEG_ENGINES_DIR=/cache/engines
VOLUME ["/models", "/cache"]
# The container sees only the GPUs that it was given, and numbers them from 0.
CMD ["ovseg", "worker", "--device", "gpu:0"]
