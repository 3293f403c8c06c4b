"""PaddleX's inference models SAM-H_box and SAM-H_point: encoder and decoder in one graph for Paddle Inference."""
