"""The settings in groups: the name, the default, the description of each, and the reason for its default."""
