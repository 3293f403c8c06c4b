-- Return how many jobs of all tenants are queued.
return queued()
