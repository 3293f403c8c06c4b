"""Segment Anything (Kirillov et al., 2023) in Paddle; its parameters are named as in Meta's public checkpoints."""

from ovseg_core.quiet_paddle import paddle as paddle
