"""`python -m benchmarks.speed.start_up` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.start_up", run_name="__main__", alter_sys=True)
