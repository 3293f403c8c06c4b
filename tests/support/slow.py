"""What `make quick` leaves out: tests that need a server, run networks, start processes or take long."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

FIXTURES = {"gateway", "redis_url", "s3", "service"}  # servers
FILES = (
    "browser/",
    "stack/",
    "chaos/test_chaos.py",
    "chaos/test_lost_valkey.py",
    "chaos/test_outages.py",
    "chaos/test_rolling_restart.py",
    "training/",
    "examples/",
    "test_containers.py",
    "test_docs.py",
    "test_from_paddlex.py",
    "test_from_transformers.py",
    "test_imports.py",
    "test_wheel.py",
    "gateway/test_fetching.py",
    "ovseg_core/test_detector.py",
    "ovseg_core/test_devices.py",
    "ovseg_core/test_digests.py",
    "ovseg_core/test_embedding.py",
    "ovseg_core/test_grounding_dino.py",
    "ovseg_core/hugging_face/test_inputs.py",
    "ovseg_core/hugging_face/test_keywords.py",
    "ovseg_core/hugging_face/test_tasks.py",
    "ovseg_core/test_image_costs.py",
    "ovseg_core/test_inference_folder.py",
    "ovseg_core/test_int8.py",
    "ovseg_core/test_library.py",
    "ovseg_core/test_mobile_sam.py",
    "ovseg_core/test_model_check.py",
    "ovseg_core/test_models.py",
    "ovseg_core/test_onnxruntime.py",
    "ovseg_core/test_paddlex",
    "ovseg_core/test_precisions.py",
    "ovseg_core/test_sam.py",
    "ovseg_core/test_sam_lite.py",
    "ovseg_core/test_segmenter.py",
    "ovseg_core/test_vl.py",
    "ovseg_core/test_decode_batch.py",
    "ovseg_core/test_engines_cache.py",
    "worker/process/test_cores.py",
    "worker/image/test_decoders.py",
    "worker/outbound/test_exchange_time.py",
    "worker/inference/test_detectors.py",
    "worker/inference/test_inference.py",
    "worker/process/test_watchdog.py",
)


def is_slow(file: Path, fixtures: Collection[str]) -> bool:
    """Whether a test is, of this file below tests/ and with these fixtures."""
    return not FIXTURES.isdisjoint(fixtures) or file.as_posix().startswith(FILES)
