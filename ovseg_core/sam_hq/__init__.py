"""SAM-HQ, or HQ-SAM (Ke et al., 2023, "Segment Anything in High Quality"), in Paddle: SAM with finer masks.

The parameters have the names of the authors' public checkpoints.
"""
