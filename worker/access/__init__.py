"""Who may use the service: API keys, and the tenants that they belong to."""
