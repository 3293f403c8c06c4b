"""The names of all environment variables that start with OVSEG_."""

from __future__ import annotations

from configs.settings import Settings
from ovseg_core import environment

OF_THE_SERVICE = frozenset(f"OVSEG_{name.upper()}" for name in Settings.model_fields)
OF_THE_LIBRARY = frozenset(environment.VARIABLES)
OF_THE_CLIENT = frozenset({"OVSEG_URL", "OVSEG_API_KEY"})
ALL = OF_THE_SERVICE | OF_THE_LIBRARY | OF_THE_CLIENT
