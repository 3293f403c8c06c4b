"""The sizes of SAM, which its layers and the code that prepares its inputs share."""

CANVAS = 1024  # pixels along a side
CHANNELS = 256  # of an image embedding
