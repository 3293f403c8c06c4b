"""The type of settings that are addresses of HTTP servers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ovseg_core import http_address

HttpAddress = Annotated[str, AfterValidator(http_address.checked)]
