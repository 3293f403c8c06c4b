"""Everything that can be turned."""
