"""The size of EfficientViT-SAM's inputs, which its layers and the code that prepares its inputs share."""

SMALL_INPUT = 512  # pixels along a side, for the L sizes; the prompts' canvas has 1024 as in SAM
