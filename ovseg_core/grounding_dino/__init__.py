"""Grounding DINO (Liu et al., 2023, https://arxiv.org/abs/2303.05499) in Paddle: phrases and an image to boxes.

MM-Grounding-DINO (Zhao et al., 2024, https://arxiv.org/abs/2401.02361) and LLMDet (Fu et al., 2025,
https://arxiv.org/abs/2501.18954) have the same layers, with two differences: see `shape.Shape.is_mm`.

The network runs in parts, so that an image is encoded once for any number of lists of phrases, and a list of phrases
once for any number of images. Between two parts, NumPy chooses the positions of the image that become queries.

In this folder: L positions of all levels of an image, T tokens, Q queries, C channels. There is no batch axis: a part
runs for one image and one list of phrases.
"""
