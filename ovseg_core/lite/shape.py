"""The sizes of SAM-Lite: what its layers and its prompts agree on."""

CANVAS = 640  # pixels along a side. Trained on canvases of 512; 640 shows small things better.
STRIDES = (4, 8, 16)  # of the encoder's maps
PYRAMID = (32, 64, 128)  # channels of its feature pyramid
# What the heads use of that, and all that is kept of an image: the first channels of each map are the mask head's, the
# others the locator's, at stride 8 and, twice as many, at stride 16.
MASK_CHANNELS = (24, 64, 64)
LOCATOR_CHANNELS = (24, 48)
CHANNELS = (24, 64 + 24, 64 + 2 * 48)

REGION = 32  # cells along a side of what the mask head sees
MASK = 64  # and of the mask that it answers
MASK_CELLS = (MASK, REGION, REGION)  # along a side of a region, as it sees each map
MAPS = 8  # prompt maps that it gets

CANDIDATES = 3  # of the locator: the button, the shirt, the person
COARSE_STRIDE = STRIDES[1]  # of its masks
CLICK_WIDTHS = (16.0, 64.0)  # canvas pixels: of the clicks drawn for it at stride 16
FINE_CLICK_WIDTH = 12.0  # and at stride 8

# EfficientNet-Lite0: blocks, kernel, stride of the first, expansion, channels in, channels out
STEM_CHANNELS = 32
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
TAPS = (1, 2, 4, 6)  # the stages that end strides 4, 8, 16 and 32
