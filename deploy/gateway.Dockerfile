# The gateway, the sender of webhooks and the reaper, without Paddle and OpenCV.
#   docker build -f deploy/gateway.Dockerfile -t ovseg-gateway .
FROM python:3.12-slim

RUN useradd --uid 10001 --no-create-home ovseg
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
# Without Paddle: the group `gateway` of pyproject.toml, not the distribution's own requirements.
RUN pip install --no-cache-dir --upgrade 'pip>=25.1' && pip install --no-cache-dir --group gateway
COPY cli cli
COPY configs configs
COPY gateway gateway
COPY ovseg_core ovseg_core
COPY worker worker
RUN pip install --no-cache-dir --no-deps .

USER ovseg
EXPOSE 8080
ENV PYTHONUNBUFFERED=1
CMD ["ovseg", "gateway"]
