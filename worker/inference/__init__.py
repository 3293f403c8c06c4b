"""The device's one thread, and the embeddings that save it work."""
