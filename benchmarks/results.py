"""`python -m benchmarks.evidence.results` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.evidence.results", run_name="__main__", alter_sys=True)
