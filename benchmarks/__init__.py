"""Commands that measure: `python -m benchmarks.ROOM.NAME`; the modules beside the rooms are their earlier names."""
