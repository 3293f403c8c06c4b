"""How SAM-Lite was made: data, network, losses, schedule, evaluation, export. The only place that knows torch."""
