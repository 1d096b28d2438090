"""The Python of the README, run as printed: block after block in one new folder, each by an interpreter of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_python_of_the_readme(tmp_path: Path) -> None:
    clip = 0.1 * np.sin(np.arange(16_000) / 20) * np.hanning(16_000)
    soundfile.write(tmp_path / "clip.wav", clip, 16_000)
    printed = []
    for block in BLOCKS:
        (tmp_path / "block.py").write_text(block)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "block.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, block + done.stderr
        assert "Warning" not in done.stderr
        printed.append(done.stdout)
    architecture, test_uar = printed[0].split()
    assert re.fullmatch("[0-9a-f]{12}", architecture)
    assert 0 <= float(test_uar) <= 1
    assert (tmp_path / "retrained" / "final" / "weights.safetensors").is_file()
    assert re.search("emotion='(anger|happiness|neutral|sadness)'", printed[1])
