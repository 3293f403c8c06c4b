"""SAM 2.1 (Ravi et al., 2024, https://arxiv.org/abs/2408.00714) for images, in Paddle.

It shares the prompt encoder, the two-way transformer and most of the mask decoder with SAM. New are the image encoder,
which is Hiera with a feature pyramid, and two maps of higher resolution that the mask decoder adds to its features. The
parts for videos (memory, object pointers) are not here.
"""
