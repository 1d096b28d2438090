from collections.abc import Iterator
from pathlib import Path

import pytest
from one_node_slurm import one_node, skip_without_slurm


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A SLURM of one node, for this process and those that it starts."""
    skip_without_slurm()
    with one_node(tmp_path_factory.mktemp("slurm")) as config, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(config))
        yield


@pytest.fixture(autouse=True)
def _known_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs find `piece_work`."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
