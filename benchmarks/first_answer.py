"""`python -m benchmarks.speed.first_answer` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.speed.first_answer", run_name="__main__", alter_sys=True)
