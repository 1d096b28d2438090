"""What the tests share: a small corpus, a fast configuration, a cache of their own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nni_emodarts.cli import main as cli
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.nni_bridge.experiment import experiment_yaml

FAST = ("search.epochs=1", "retrain.epochs=2", "search.batch_size=8", "retrain.batch_size=8")
"""Settings under which a search and a retraining of the small corpus take seconds."""


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that no earlier run has filled; processes that a test starts inherit it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMODARTS_CACHE", str(folder))
        patch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "2"))
        yield folder


@pytest.fixture(scope="session")
def fast_words() -> list[str]:
    """`FAST` as arguments of a command."""
    return [word for setting in FAST for word in ("--set", setting)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries draw from it


@pytest.fixture(scope="session")
def small_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 synthetic clips: 6 speakers, 4 emotions, 2 utterances."""
    return make_corpus(tmp_path_factory.mktemp("corpus") / "small", speakers=6, utterances=2)


@pytest.fixture(scope="session")
def fast_config(small_manifest: Path) -> ExperimentConfig:
    return load_config("tiny", settings=FAST, options={"data.manifest": str(small_manifest), "data.protocol": "loso"})


@pytest.fixture(scope="session")
def small_corpus(fast_config: ExperimentConfig) -> Corpus:
    return load_corpus(fast_config)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, so that no experiment of a person's is touched."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("NNI_HOME", str(folder / ".nni"))
        yield folder


@pytest.fixture
def idle(small_manifest: Path, home: Path) -> Path:
    """An experiment whose one trial only waits."""
    file = home / "idle.yml"
    text = experiment_yaml("test", ["--manifest", str(small_manifest)], [0], [1], concurrency=1)
    lines = ["trialCommand: sleep 60" if line.startswith("trialCommand") else line for line in text.splitlines()]
    file.write_text("\n".join(line for line in lines if not line.startswith("  ---")) + "\n")
    return file


@pytest.fixture
def emodarts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command in this process; returns exit code and what it printed. Any other exception fails the test."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["emodarts", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out + printed.err

    return run


@pytest.fixture
def refused(emodarts: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a command that leaves with exit code 2 and one message that holds the words."""

    def run(*words: object, says: tuple[str, ...], cwd: Path | None = None) -> None:
        with monkeypatch.context() as patch:
            if cwd is not None:
                patch.chdir(cwd)
            code, said = emodarts(*words)
        assert code == 2, said
        for word in says:
            assert word in said

    return run


@pytest.fixture(scope="session")
def real_encoder() -> Path:
    """Whisper base's encoder, where it lies beside the corpora or this checkout; never part of it."""
    data = os.environ.get("EMODARTS_DATA")
    places = [Path(data).parent] if data else [parent / "shared" for parent in Path(__file__).resolve().parents[2:4]]
    folders = [place / "models" / "whisper-base-encoder" for place in places]
    if not any(folder.is_dir() for folder in folders):
        pytest.skip(f"Whisper base's encoder is not at {folders[0]}; tests with tiny encoders run")
    return next(folder for folder in folders if folder.is_dir())
