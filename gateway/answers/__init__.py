"""The types of the JSON that the API answers, for the OpenAPI document. Tests hold the real answers against them."""
