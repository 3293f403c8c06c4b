"""Webhooks: the events of jobs, their delivery, and the endpoints that receive them."""
