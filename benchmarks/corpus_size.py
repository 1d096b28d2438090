"""`python -m benchmarks.speed.corpus_size` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.corpus_size", run_name="__main__", alter_sys=True)
