"""`python -m benchmarks.speed.supernet` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.supernet", run_name="__main__", alter_sys=True)
