"""A table of architectures: each trained once over folds and seeds, so that searches can be judged at no further cost.

    from nni_emodarts.benchmark.table import read_table
    table = read_table("table-ravdess.jsonl").to_frame()
    table.groupby("architecture").test_uar.mean().sort_values()

A line is one training: an architecture on one fold with one seed, or on one inner split of a fold's training speakers.
What it holds is `Training`. Test figures only judge a search; none of them may choose anything.
"""

from nni_emodarts.benchmark.table.records import Table, Training, read_table

__all__ = ["Table", "Training", "read_table"]
