"""Settings: how the gateway listens, waits and streams."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from configs.host_list import HostPatterns
from configs.http_address import HttpAddress


class GatewayProcess(BaseModel):
    gateway_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. The default can be reached only from this machine.",
    )
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 8080 is PaddleX's.")
    gateway_allowed_hosts: HostPatterns = Field(
        default=(),
        description="Hosts, separated by commas: `name`, `name:port`, or `.name` with all names below it. A request's "
        "Host header may name them, and their web pages (Origin header) may send requests that change something. "
        "Always allowed are the hosts localhost, 127.0.0.1 and [::1], and pages of the host that receives the request. "
        "Empty: a gateway on loopback allows no other Host, one on another address any Host. `*` allows any Host, but "
        "no further Origin.",
    )
    gateway_public_url: HttpAddress | None = Field(
        default=None,
        description="URL by which clients reach the gateway, such as https://segment.example.com: links to jobs in "
        "webhooks begin with it. Unset: these links are paths, such as /v1/jobs/car-1.",
    )
    gateway_processes: int = Field(
        default=1, gt=0, description="Number of the gateway's processes (> 0). More processes use more cores."
    )
    gateway_threads: int = Field(
        default=64,
        gt=0,
        description="Number of requests that one gateway process handles at the same time (> 0). It is more than the "
        "number of cores, because requests wait for Redis and storage. A held `wait` and a client that sends or reads "
        "slowly use no thread.",
    )
    gateway_drain_seconds: float = Field(
        default=0.0,
        ge=0,
        description="How long the gateway still answers after SIGTERM, in seconds (0 or more), while /readyz reports "
        "that it is stopping. Behind a load balancer, set the time that the load balancer needs to notice.",
    )
    max_wait_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Longest time that a GET with `wait` is held, in seconds (> 0). Proxies often disconnect after 60 "
        "s.",
    )
    max_streams: int = Field(
        default=2000,
        gt=0,
        description="Maximum number of event streams that are open at one gateway process (> 0); further ones are "
        "refused. A process also keeps two thirds of its connections (at most 6,144) for other clients.",
    )
    max_streams_per_key: int = Field(
        default=1000,
        gt=0,
        description="Maximum number of event streams of one API key that are open at one gateway process (> 0). "
        "Without keys all clients share it.",
    )
    paddlex_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Longest time that PaddleX's synchronous routes wait for a result, in seconds (> 0). PaddleX's own "
        "clients wait 300 s.",
    )

    chat_timeout_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Longest time that POST /v1/chat/completions waits for a result, in seconds (> 0). OpenAI's own "
        "clients wait 600 s.",
    )

    @field_validator("gateway_port", mode="before")
    @classmethod
    def _check_port(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "it is not a number; Kubernetes sets this variable for a Service named ovseg-gateway: set "
                "enableServiceLinks: false in the pod"
            )
        return value
