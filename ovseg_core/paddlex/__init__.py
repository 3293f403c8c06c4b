"""The API of PaddleX: `create_pipeline`, `create_model` and their results, as PaddleX's documentation describes them.

https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/cv_pipelines/open_vocabulary_segmentation.html
"""
