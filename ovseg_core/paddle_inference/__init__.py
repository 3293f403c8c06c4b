"""PaddleX's inference models, SAM-H_box and SAM-H_point: encoder and decoder as one network for Paddle Inference."""
