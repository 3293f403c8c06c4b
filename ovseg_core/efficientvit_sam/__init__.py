"""EfficientViT-SAM (Zhang et al., 2024) in Paddle: SAM with a convolutional image encoder with linear attention.

The parameters have the names of the authors' public checkpoints.
"""
