"""Which network of a run folder is meant, and what its files say of it."""

from dataclasses import dataclass, replace
from pathlib import Path

from nni_emodarts.config import ExperimentConfig, PretrainedStream, SpectralStream, load_config
from nni_emodarts.data.front_ends import stream_rate
from nni_emodarts.errors import ConfigError, RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.run_folder import ARCHITECTURE, CONFIG, FINAL, METRICS, NORMALIZATION, WEIGHTS, RunFolder


@dataclass(frozen=True)
class NetworkFolder:
    """A trained network on disk.

    Attributes:
        folder: its own folder.
        run: the folder of its figures: of a final network the run that it belongs to, of any other its own.
        config: what it was made with.
        labels: names of the classes (K), in the order of its outputs.
    """

    folder: RunFolder
    run: RunFolder
    config: ExperimentConfig
    labels: tuple[str, ...]

    @property
    def sampling_rate(self) -> int:
        """What it hears, in Hz."""
        return stream_rate(self.stream)

    @property
    def stream(self) -> SpectralStream | PretrainedStream:
        """What it hears with; of a pretrained encoder's levels the one that its architecture takes, where it does.

        Raises:
            ArchitectureError: its architecture is broken.
        """
        stream = self.config.features.heard[0]
        if isinstance(stream, SpectralStream) or not self.folder.has(ARCHITECTURE):
            return stream
        level = Architecture.load(self.folder.path / ARCHITECTURE).levels.get(stream.name)
        return stream if level is None else stream.model_copy(update={"levels": (level,)})

    def hearing_with(self, model: str | None) -> "NetworkFolder":
        """The same network, whose encoder's weights lie elsewhere; itself where no place is named.

        Raises:
            ConfigError: it hears with no pretrained encoder.
        """
        if model is not None and not self.config.features.pretrained:
            raise ConfigError(f"front end {model}: network {self.folder.path} hears with none; leave it out")
        return replace(self, config=self.config.with_weights_at(model))

    @property
    def is_final(self) -> bool:
        """Whether it was trained on all speakers."""
        return self.folder.path.name == FINAL


def open_network(path: str | Path, fold: int | None = None, seed: int | None = None) -> NetworkFolder:
    """Find a network in a run folder and read its description; no weights are read.

    Args:
        path: the folder of one network, or of a run over folds and seeds, which gives its final network.
        fold: takes the network of this fold instead.
        seed: likewise of this seed.

    Raises:
        RunFolderError: there is none, several fit, or its files are missing or broken.
    """
    path = Path(path)
    if not path.is_dir():
        kind = "is a file; name the run's folder" if path.exists() else "does not exist; name a run's folder"
        raise RunFolderError(f"run folder {path} {kind}")
    folder = RunFolder(_choose(path, fold, seed))
    missing = [name for name in (CONFIG, METRICS, NORMALIZATION) if not folder.has(name)]
    if missing:
        raise RunFolderError(
            f"network {folder.path} lacks {', '.join(missing)}: its training did not finish; go on with it by "
            f"emodarts retrain --resume"
        )
    labels = folder.read_json(METRICS).get("classes")
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise RunFolderError(f"network {folder.path}: {METRICS} names no classes; retrain it")
    return NetworkFolder(folder, _scored_by(folder), load_config(file=folder.path / CONFIG), tuple(labels))


def _scored_by(network: RunFolder) -> RunFolder:
    """Where a network's figures are: a final one has those of its run's folds, any other its own."""
    run = RunFolder(network.path.parent)
    return run if network.path.name == FINAL and run.has(METRICS) else network


def _choose(path: Path, fold: int | None, seed: int | None) -> Path:
    cells = RunFolder(path).cells(WEIGHTS)
    single = (path / WEIGHTS).is_file()
    if fold is None and seed is None:
        if single:
            return path
        if (path / FINAL / WEIGHTS).is_file():
            return path / FINAL
    fitting = [cell for (f, s), cell in cells.items() if fold in (None, f) and seed in (None, s)]
    if len(fitting) == 1:
        return fitting[0]
    if not cells:
        there = "it is one network, so leave fold and seed out" if single else f"no {WEIGHTS} in it or in its folds"
        raise RunFolderError(f"run folder {path}: {there}{'' if single else '; name the folder of a retraining'}")
    there = ", ".join(f"fold {f} seed {s}" for f, s in cells)
    wanted = " ".join(f"{name} {value}" for name, value in (("fold", fold), ("seed", seed)) if value is not None)
    problem = f"it holds no network of {wanted}" if not fitting else f"it holds {len(fitting)} networks that fit"
    raise RunFolderError(f"run folder {path}: {problem}; there are {there}; name one by fold and seed")
