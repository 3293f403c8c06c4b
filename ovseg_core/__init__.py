"""Promptable image segmentation: arrays in, masks out. No network, no queue, no environment variables.

>>> from ovseg_core.segmenter import Segmenter
>>> segmenter = Segmenter.open("SAM-Lite")
>>> embedding = segmenter.encode(image_rgb)                     # once per image
>>> masks = segmenter.decode(embedding, [Prompt.of_box(10, 20, 200, 300)])
"""
