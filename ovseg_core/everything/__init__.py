"""Everything mode: masks of all objects of an image, found by a grid of clicks instead of a caller's prompts."""
