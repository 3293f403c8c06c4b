"""The codes of the problems that a request for a job can have, for the OpenAPI document."""

from __future__ import annotations

OF_IMAGE = (
    "headers_unavailable",
    "image_empty",
    "image_format_unsupported",
    "image_missing",
    "image_not_found",
    "image_too_costly",
    "image_too_large",
    "image_too_many_pixels",
    "image_unreadable",
    "upload_expired",
    "upload_not_received",
    "url_forbidden",
    "url_invalid",
)
OF_PROMPTS = (
    "box_outside_image",
    "invalid_options",
    "invalid_prompt",
    "mask_not_found",
    "mask_size_mismatch",
    "masks_too_large",
    "model_not_installed",
    "phrase_empty",
    "phrase_too_long",
    "phrase_unreadable",
    "point_outside_image",
    "prompt_not_supported",
    "prompts_missing",
    "too_many_phrases",
    "too_many_points",
    "too_many_prompts",
    "unknown_detector",
)
OF_ACCEPTANCE = ("job_deleted", "queue_full", "quota_exceeded")
OF_EMBEDDING = (*OF_IMAGE, *OF_ACCEPTANCE, "metadata_too_large", "unknown_model", "webhooks_unavailable")
OF_JOB = (*OF_EMBEDDING, *OF_PROMPTS)
OF_DETECT = (
    *OF_IMAGE,
    *OF_ACCEPTANCE,
    "invalid_options",
    "model_not_installed",
    "phrase_empty",
    "phrase_too_long",
    "unknown_detector",
)
