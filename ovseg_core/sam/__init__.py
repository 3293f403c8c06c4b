"""Segment Anything (Kirillov et al., 2023) and MobileSAM (Zhang et al., 2023) in Paddle.

Their parameters have the names of the authors' public checkpoints.
"""
