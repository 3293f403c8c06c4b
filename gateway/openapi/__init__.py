"""The OpenAPI document of the gateway's routes, and the page that shows it."""
