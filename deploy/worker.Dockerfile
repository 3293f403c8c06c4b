# A worker on CPU cores.
#   docker build -f deploy/worker.Dockerfile -t ovseg-worker .
FROM python:3.12-slim

# OpenCV's and Paddle's own needs, which the slim image lacks
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
RUN pip install --no-cache-dir '.[openvino]'

USER ovseg
ENV PYTHONUNBUFFERED=1 OVSEG_MODELS_DIR=/models OVSEG_ENGINES_DIR=/models/engines
CMD ["ovseg", "worker", "--device", "cpu"]
