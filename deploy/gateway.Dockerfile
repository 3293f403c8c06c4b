# The gateway, the sender of webhooks and the reaper, without Paddle and OpenCV.
#   docker build -f deploy/gateway.Dockerfile -t ovseg-gateway .
#   docker run --env-file .env -p 127.0.0.1:8080:8080 ovseg-gateway
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ovseg-gateway" \
      org.opencontainers.image.source="https://github.com/ovseg/ovseg" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --uid 10001 --no-create-home ovseg
WORKDIR /app
# Before the sources, so that a change of code installs nothing again.
COPY locks/gateway.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement locks/gateway.txt
COPY pyproject.toml README.md LICENSE ./
COPY ovseg ovseg
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# By number: Kubernetes' runAsNonRoot refuses a name, which it cannot judge.
USER 10001
EXPOSE 8080
# On loopback nobody outside the container would reach it; what is published decides who does.
ENV PYTHONUNBUFFERED=1 OVSEG_GATEWAY_HOST=0.0.0.0
CMD ["ovseg", "gateway"]
