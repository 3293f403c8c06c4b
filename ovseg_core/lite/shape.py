"""The sizes of SAM-Lite, which its layers and the code that prepares its inputs share."""

CANVAS = 640  # pixels along a side. It was trained on canvases of 512; with 640, small objects are segmented better.
STRIDES = (4, 8, 16)  # of the encoder's maps
PYRAMID = (32, 64, 128)  # channels of its feature pyramid
CONTEXT = 2  # pairs of convolutions at stride 32, which see most of the canvas
# Channels of the maps that the heads use, which are all that is stored of an image. The first channels of each map are
# for the mask head. The others are for the locator, at stride 8 and, twice as many, at stride 16.
MASK_CHANNELS = (24, 64, 64)  # of the map of each stride
LOCATOR_CHANNELS = (24, 48)  # at strides 8 and 16
CHANNELS = (24, 64 + 24, 64 + 2 * 48)  # of the map of each stride, for both heads

REGION = 32  # cells along a side of a region in the mask head
MASK = 64  # cells along a side of the mask that it returns
MASK_CELLS = (MASK, REGION, REGION)  # cells along a side of a region, as sampled from each map
MAPS = 8  # number of prompt maps
SHAPES = 4  # of them show where the object is: the box, the clicks on and off it, the coarse mask
EDGE = 2  # cells of a mask: a mask that reaches so near to the edge of its region is probably cut off
FINE_CHANNELS = 16  # of the map from which a head computes its logits
STATISTICS = 3  # numbers about a mask that the score sees: its area, how sure and how stable it is
SCORE_CHANNELS = 64  # of the hidden layer that predicts the IoU of a mask

CANDIDATES = 3  # masks of the locator for a click: the button, the shirt, the person
COARSE_STRIDE = STRIDES[1]  # of the locator's masks
CLICK_WIDTHS = (16.0, 64.0)  # canvas pixels: widths of the clicks that are drawn for the locator at stride 16
FINE_CLICK_WIDTH = 12.0  # canvas pixels: the same at stride 8

# EfficientNet-Lite0, a row for each stage: blocks, kernel, stride of the first block, expansion, channels in and out
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
TAPS = (1, 2, 4, 6)  # the last stage of each of the strides 4, 8, 16 and 32
