"""`python -m benchmarks.speed.search_options` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.search_options", run_name="__main__", alter_sys=True)
