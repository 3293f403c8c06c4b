"""Engines run the parts of a network.

Paddle is the reference, and runs on GPUs. OpenVINO is fast on a CPU. ONNX Runtime runs on both.
"""
