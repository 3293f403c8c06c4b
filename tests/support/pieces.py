"""What one of the test processes of `make test` takes as a piece: a file, so that what its tests share is made once.

All files whose tests share one `ovseg up` are one piece, and so are the tests in a browser. A chaos test that starts a
stack is a piece of its own.
The longest pieces come first, so that no process is left with one at the end.
"""

from __future__ import annotations

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

FOLDER = Path(__file__).parents[1]

# The files that use the fixture `service`.
OF_SERVICE = (
    "client/test_batches.py",
    "client/test_commands.py",
    "client/test_map.py",
    "client/test_page.py",
    "client/test_segment.py",
    "client/test_uploads.py",
    "examples/test_on_the_service.py",
    "gateway/test_bad_input.py",
    "gateway/test_bodies.py",
    "gateway/test_bombs.py",
    "gateway/test_chat.py",
    "gateway/test_embeddings.py",
    "gateway/test_endings.py",
    "gateway/test_endpoints.py",
    "gateway/test_everything.py",
    "gateway/test_fetching.py",
    "gateway/test_jobs.py",
    "gateway/test_known_images.py",
    "gateway/test_once.py",
    "gateway/test_one_call.py",
    "gateway/test_paddlex.py",
    "gateway/test_prompt_notes.py",
    "gateway/test_retry.py",
    "gateway/test_uploads.py",
    "stack/test_shared_stack.py",
    "test_pasted.py",
)
# Each test starts a stack of its own, so each is a piece.
ONE_BY_ONE = ("chaos/test_chaos.py", "chaos/test_rolling_restart.py")
LONGEST = (
    "service",
    "browser",
    "chaos/test_rolling_restart.py",
    "chaos/test_chaos.py",
    "gateway/test_schemathesis.py",
    "stack/test_lives.py",
    "stack/test_kills.py",
    "stack/test_other_servers.py",
    "stack/test_up.py",
    "chaos/test_outages.py",
    "gateway/test_tenant_ids.py",
    "worker/job/test_job_machine.py",
    "worker/webhook/test_event_machine.py",
    "worker/image/test_decoding.py",
    "stack/test_text_prompts.py",
    "stack/test_listening.py",
    "stack/test_doors.py",
    "worker/image/test_decoders.py",
    "ovseg_core/test_paddlex_inputs.py",
    "ovseg_core/test_onnxruntime.py",
)


class Pieces(LoadScopeScheduling):
    """pytest-xdist's scheduler that gives a process all tests of a scope."""

    def _split_scope(self, nodeid: str) -> str:
        piece = of(Path(nodeid.partition("::")[0]).relative_to(FOLDER.name))
        return nodeid if piece in ONE_BY_ONE else piece


def of(file: Path) -> str:
    """The piece that a file, by its path below tests/, belongs to."""
    if file.parts[0] == "browser":
        return "browser"
    return "service" if file.as_posix() in OF_SERVICE else file.as_posix()


def place(file: Path) -> int:
    """Where a file's piece stands in the order."""
    piece = of(file)
    return LONGEST.index(piece) if piece in LONGEST else len(LONGEST)
