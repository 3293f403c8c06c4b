"""A check for schemathesis, which loads this file by SCHEMATHESIS_HOOKS: no answer is a server error, except these."""

from __future__ import annotations

from typing import Any

import schemathesis

# There is no worker: no job ends before the time of PaddleX's and OpenAI's routes is over, and a client may require
# workers.
EXPECTED = {
    ("POST", "/open-vocabulary-segmentation"): 504,
    ("POST", "/open-vocabulary-detection"): 504,
    ("POST", "/v1/chat/completions"): 504,
    ("GET", "/readyz"): 503,
}


@schemathesis.check
def no_unexpected_server_error(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    status, expected = response.status_code, EXPECTED.get((case.method, case.path))
    assert status < 500 or status == expected, f"{status}: {response.text[:500]}"
