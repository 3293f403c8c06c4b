"""SAM-Lite, the bundled model: an image encoder, a locator of clicks and a mask head.

`docs/sam-lite.md` describes how it works and how good it is. `training/network.py` is the same network for training.
"""
