"""How an end is notified: events, endpoints, deliveries."""
