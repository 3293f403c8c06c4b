"""Segment Anything (Kirillov et al., 2023) and MobileSAM (Zhang et al., 2023) in Paddle; their parameters are named as
in their authors' public checkpoints."""
