"""Inference on one thread of the device, and the caches of embeddings that save encodings."""
