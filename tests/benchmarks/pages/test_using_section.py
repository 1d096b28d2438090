"""The section about using a network, of made-up figures."""

import json
from pathlib import Path

from benchmarks.pages.using_section import paragraphs


def test_the_section_appears_with_its_figures_and_says_what_was_missed(tmp_path: Path) -> None:
    assert paragraphs(tmp_path) == []
    rows = [
        {"network": network, "format": kind, "ms": ms, "bytes": 1.5e6, "parameters": 1234}
        for network, ms in (("cnn_lstm", 4.0), ("0", 12.0))
        for kind in ("pytorch", "onnx", "int8")
    ]
    (tmp_path / "deploy.json").write_text(
        json.dumps({"preset": "compact", "goal_ms": 10.0, "repeats": 3, "machine": {"processor": "P"}, "rows": rows})
    )
    starts = [{"name": "a program", "seconds": 0.4}]
    (tmp_path / "first_answer.json").write_text(json.dumps({"preset": "compact", "goal": 1.5, "rows": starts}))
    text = "\n".join(paragraphs(tmp_path))
    assert "| `cnn_lstm`, by hand | 1,234 | 4.0 | 4.0 | 4.0 | 1.50 | 1.50 |" in text
    assert "the median of 3 runs" in text
    assert "| ONNX, ms a clip, slowest network | 10 ms | 12.0 ms | **missed** |" in text
    assert "| ONNX, start-up to first answer | 1.5 s | 0.40 s | met |" in text
