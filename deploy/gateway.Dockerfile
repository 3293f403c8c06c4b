# The gateway, the webhook sender and the reaper. Without Paddle and OpenCV.
#   docker build -f deploy/gateway.Dockerfile -t ovseg-gateway .
#   docker run --env-file .env -e OVSEG_AUTH=off -p 127.0.0.1:8080:8080 ovseg-gateway
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ovseg-gateway" \
      org.opencontainers.image.source="https://github.com/ovseg/ovseg" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --uid 10001 --no-create-home ovseg
WORKDIR /app
# The packages come before the sources, so that a change of code does not install them again.
COPY locks/gateway.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement locks/gateway.txt
COPY pyproject.toml README.md LICENSE ./
COPY ovseg ovseg
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# The user is a number, because Kubernetes' runAsNonRoot cannot check a name and refuses it.
USER 10001
EXPOSE 8080
# On loopback the gateway could not be reached from outside the container. Access is limited by the port that is published.
# The gateway does not start until OVSEG_AUTH is set: `required` for API keys, `off` if that port is private.
ENV PYTHONUNBUFFERED=1 OVSEG_GATEWAY_HOST=0.0.0.0
CMD ["ovseg", "gateway"]
