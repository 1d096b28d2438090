"""Which network of a run folder is meant, and what its files say of it."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from nni_emodarts.config import ExperimentConfig, PretrainedStream, SpectralStream, load_config
from nni_emodarts.data.front_ends import stream_rate
from nni_emodarts.data.front_ends.pinning import heard_elsewhere
from nni_emodarts.data.outputs import DIMENSIONS_KEY, Outputs
from nni_emodarts.errors import RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CONFIG,
    ENSEMBLE,
    FINAL,
    MEMBERS,
    METRICS,
    NORMALIZATION,
    WEIGHTS,
    RunFolder,
)

AnyStream = SpectralStream | PretrainedStream


@dataclass(frozen=True)
class NetworkFolder:
    """A trained network on disk, or several that answer together.

    Attributes:
        folder: its own folder.
        run: the folder of its figures: of a final network the run that it belongs to, of any other its own.
        config: what it was made with.
        outputs: what its outputs mean: classes (K), then dimensions (D) with their scales.
        members: of an ensemble, its networks and the share of each; none of a single network.
    """

    folder: RunFolder
    run: RunFolder
    config: ExperimentConfig
    outputs: Outputs
    members: "tuple[tuple[NetworkFolder, float], ...]" = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes (K), in the order of its outputs."""
        return self.outputs.classes

    @property
    def sampling_rate(self) -> int:
        """What it hears, in Hz."""
        return stream_rate(self.config.features.heard[0])  # of several they are the same

    @property
    def whole_streams(self) -> tuple[AnyStream, ...]:
        """What it hears with, with all levels that its features have.

        Raises:
            ArchitectureError: its architecture is broken.
        """
        if self.members:
            own = {stream.name for member, _ in self.members for stream in member.whole_streams}
            return tuple(stream for stream in self.config.features.heard if stream.name in own)
        streams = self.config.features.heard
        if len(streams) == 1:
            return streams
        if self._architecture is None:  # of several, a network that is designed by hand hears the pretrained one
            return self.config.features.pretrained
        return tuple(stream for stream in streams if stream.name in self._architecture.heard)

    @property
    def streams(self) -> tuple[AnyStream, ...]:
        """What it hears with; of a pretrained encoder's levels those that its architecture takes, where it does.

        Those of an ensemble are what any of its members hears with.

        Raises:
            ArchitectureError: its architecture is broken.
        """
        if self.members:
            return tuple(map(self._joined, self.whole_streams))
        levels = self._architecture.levels if self._architecture else {}
        return tuple(
            stream.model_copy(update={"levels": levels[stream.name]}) if stream.name in levels else stream
            for stream in self.whole_streams
        )

    def _joined(self, stream: AnyStream) -> AnyStream:
        """A stream with the levels that any member takes."""
        if isinstance(stream, SpectralStream):
            return stream
        heard = [own for member, _ in self.members for own in member.streams if own.name == stream.name]
        levels = {level for own in heard if isinstance(own, PretrainedStream) for level in own.levels or ()}
        return stream.model_copy(update={"levels": tuple(sorted(levels))})

    @cached_property
    def _architecture(self) -> Architecture | None:
        """What it was searched as; None of a network that is designed by hand."""
        return Architecture.load(self.folder.path / ARCHITECTURE) if self.folder.has(ARCHITECTURE) else None

    def hearing_with(self, model: str | None) -> "NetworkFolder":
        """The same network, whose encoder's weights lie elsewhere; itself where no place is named.

        Raises:
            ConfigError: it hears with no pretrained encoder.
        """
        heard = [stream.name for stream in self.streams]
        config = heard_elsewhere(self.config, model, f"network {self.folder.path}", heard)
        members = tuple((replace(member, config=config), share) for member, share in self.members)
        return replace(self, config=config, members=members)

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
    if folder.has(ENSEMBLE):
        return _open_ensemble(folder)
    missing = [name for name in (CONFIG, METRICS, NORMALIZATION) if not folder.has(name)]
    if missing:
        raise RunFolderError(
            f"network {folder.path} lacks {', '.join(missing)}: its training did not finish; go on with it by "
            f"emodarts retrain --resume"
        )
    return NetworkFolder(folder, _scored_by(folder), load_config(file=folder.path / CONFIG), _outputs(folder))


def open_networks(path: str | Path, fold: int | None = None, seed: int | None = None) -> list[NetworkFolder]:
    """The network that `open_network` gives; where a run has no final one, those of all folds and seeds that fit.

    Raises:
        RunFolderError: as for `open_network`; or they have other classes.
    """
    folder = RunFolder(path)
    alone = (folder.path / WEIGHTS).is_file() or (folder.path / FINAL / WEIGHTS).is_file()
    cells = folder.cells(WEIGHTS) | folder.cells(ENSEMBLE)
    fitting = [key for key in sorted(cells) if fold in (None, key[0]) and seed in (None, key[1])]
    if (alone and fold is None and seed is None) or len(fitting) < 2:
        return [open_network(path, fold, seed)]
    networks = [open_network(cells[key]) for key in fitting]
    odd = next((each for each in networks if each.outputs.names != networks[0].outputs.names), None)
    if odd is not None:
        raise RunFolderError(
            f"network {odd.folder.path} answers in {', '.join(odd.outputs.names)}, but {networks[0].folder.path} in "
            f"{', '.join(networks[0].outputs.names)}; the folder mixes two runs"
        )
    return networks


def _outputs(folder: RunFolder) -> Outputs:
    figures = folder.read_json(METRICS)
    labels, rated = figures.get("classes"), figures.get(DIMENSIONS_KEY)
    fewest = 2 if rated is None else 0
    if not isinstance(labels, list) or len(labels) < fewest or not all(isinstance(label, str) for label in labels):
        raise RunFolderError(f"network {folder.path}: {METRICS} names no classes; retrain it")
    if rated is None:
        return Outputs(tuple(labels))
    try:
        return Outputs.from_dict(tuple(labels), rated)
    except ValueError as error:
        raise RunFolderError(f"network {folder.path}: {METRICS} is broken ({error}); retrain it") from None


def _open_ensemble(folder: RunFolder) -> NetworkFolder:
    """The networks of a fold's ensemble."""
    if not folder.has(METRICS) or not folder.has(CONFIG):
        raise RunFolderError(f"ensemble {folder.path} did not finish; go on with it by emodarts ensemble --resume")
    shares = folder.read_json(ENSEMBLE).get("members")
    if not isinstance(shares, dict) or not shares or not all(_is_share(name, shares[name]) for name in shares):
        raise RunFolderError(f"ensemble {folder.path}: {ENSEMBLE} names no members with their shares; make it anew")
    members = tuple((open_network(folder.path / MEMBERS / name), float(share)) for name, share in shares.items())
    outputs = _outputs(folder)
    for member, _ in members:
        if member.outputs != outputs:
            raise RunFolderError(
                f"ensemble {folder.path} answers in {outputs}, but its member {member.folder.path} in "
                f"{member.outputs}; the folder mixes two runs"
            )
    return NetworkFolder(folder, folder, load_config(file=folder.path / CONFIG), outputs, members)


def _is_share(name: str, share: object) -> bool:
    """Whether a member is an architecture's id with a share."""
    return re.fullmatch("[0-9a-f]+", name) is not None and isinstance(share, (int, float)) and 0 < share <= 1


def _scored_by(network: RunFolder) -> RunFolder:
    """Where a network's figures are: a final one has those of its run's folds, any other its own."""
    run = RunFolder(network.path.parent)
    return run if network.path.name == FINAL and run.has(METRICS) else network


def _choose(path: Path, fold: int | None, seed: int | None) -> Path:
    folder = RunFolder(path)
    cells = folder.cells(WEIGHTS) | folder.cells(ENSEMBLE)
    single = (path / WEIGHTS).is_file() or ((path / ENSEMBLE).is_file() and (path / MEMBERS).is_dir())
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
