"""`python -m benchmarks.speed.limits` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.limits", run_name="__main__", alter_sys=True)
