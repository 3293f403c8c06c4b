"""All settings. `configs.groups` has the name, the default and the description of each.

A process reads each setting once, at its start, from the environment variable OVSEG_<NAME> (`redis_url` is
OVSEG_REDIS_URL). A wrong value stops the process with the name of the setting and what is allowed. Two groups of
variables are not settings: credentials for object storage, which boto3 finds (AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, ~/.aws, an instance role), and those that the library reads with or without the service, which
`ovseg_core.environment` lists.
"""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from configs.groups.callers import Callers
from configs.groups.gateway_process import GatewayProcess
from configs.groups.outbound import Outbound
from configs.groups.reaper_process import ReaperProcess
from configs.groups.request_limits import RequestLimits
from configs.groups.stores import Stores
from configs.groups.worker_process import WorkerProcess

MEGABYTE = 1_000_000


# Pydantic lists the fields of the last base class first.
class Settings(ReaperProcess, WorkerProcess, GatewayProcess, Outbound, Callers, RequestLimits, Stores, BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OVSEG_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # the value may be a secret
        allow_inf_nan=False,  # some durations are converted to whole seconds
    )
