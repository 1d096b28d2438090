"""`python -m benchmarks.pages.performance_document` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.pages.performance_document", run_name="__main__", alter_sys=True)
