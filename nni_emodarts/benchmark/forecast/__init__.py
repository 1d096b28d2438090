"""What a run will take: a part of it is done and measured, the rest is arithmetic."""
