"""The API of Hugging Face's `transformers`: `pipeline`, its tasks and the forms of their results.

https://huggingface.co/docs/transformers/main_classes/pipelines
"""
