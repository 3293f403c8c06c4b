"""How SAM-Lite was made: data, network, losses, schedule, evaluation, export. Only this package uses torch."""
