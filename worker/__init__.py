"""Everything about a job: what may be asked, its record, its queue, its work, its end."""
