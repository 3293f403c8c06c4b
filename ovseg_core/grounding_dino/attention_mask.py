"""The number that is added to the score of what must not be attended to."""

BLOCKED = -1e9  # e to the power of this is zero in float32; and unlike infinity, its product with zero is a number
