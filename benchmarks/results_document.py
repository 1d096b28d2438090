"""`python -m benchmarks.pages.results_document` by its earlier name."""

if __name__ == "__main__":
    __import__("runpy").run_module("benchmarks.pages.results_document", run_name="__main__", alter_sys=True)
