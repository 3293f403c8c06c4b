# A worker on one NVIDIA GPU; run one for each.
#   docker build -f deploy/worker-gpu.Dockerfile -t ovseg-worker-gpu .
#   docker run --gpus '"device=1"' ... ovseg-worker-gpu
FROM python:3.12-slim

RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home ovseg && install --directory --owner ovseg /models
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY cli cli
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
# The CUDA build comes from Paddle's own index (PyPI's ends at 2.6.2) and brings the CUDA libraries along as wheels. It
# puts its files where the CPU build has put its own, so that one goes first. For another CUDA version name its index.
ARG PADDLE_INDEX=https://www.paddlepaddle.org.cn/packages/stable/cu126/
RUN pip install --no-cache-dir . \
    && pip uninstall --yes paddlepaddle \
    && pip install --no-cache-dir 'paddlepaddle-gpu>=3.3,<3.4' --index-url "$PADDLE_INDEX" \
        --extra-index-url https://pypi.org/simple

USER ovseg
ENV PYTHONUNBUFFERED=1 OVSEG_MODELS_DIR=/models
# The container sees only the GPUs it was given; the first of them is 0.
CMD ["ovseg", "worker", "--device", "gpu:0"]
