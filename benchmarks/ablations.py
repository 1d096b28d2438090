"""`python -m benchmarks.evidence.ablations` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.evidence.ablations", run_name="__main__", alter_sys=True)
