"""Settings, and the types of their values."""
