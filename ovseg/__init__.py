"""The command `ovseg`."""
