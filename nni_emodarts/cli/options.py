"""Options that commands share, and what their texts mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from nni_emodarts.config import ExperimentConfig
    from nni_emodarts.data.fold_choice import FoldChoice
    from nni_emodarts.data.other_corpora import LabelChoice
    from nni_emodarts.training.retrain.elsewhere import Asked

_MANY = 100_000
"""Numbers that a text may name."""

Manifest = Annotated[
    str | None,
    typer.Option(help="The manifest (CSV), or `synthetic` for the embedded corpus; several as one: A.csv,B.csv."),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="paper, compact, tiny or pretrained; compact where nothing else says so, pretrained with --front-end."
    ),
]
Config = Annotated[Path | None, typer.Option(help="A YAML file laid over the preset.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting laid over both; repeatable.")
]
FrontEnd = Annotated[
    str | None,
    typer.Option(
        "--front-end",
        metavar="MODEL",
        help="Hear with a pretrained encoder: torchaudio:BUNDLE, a name at Hugging Face, or a folder; emodarts "
        "front-ends lists them.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--front-end",
        metavar="MODEL",
        help="Where the weights of the network's pretrained encoder are, if not where the run had them; others are "
        "refused.",
    ),
]
Protocol = Annotated[
    str | None, typer.Option(help="loso, session, kfold:K, official, loco, or file:FOLDS.csv with a list of folds.")
]
Strategy = Annotated[str | None, typer.Option(help="How to search: {strategies}; emodarts strategies says more.")]
BadAudio = Annotated[
    str | None, typer.Option(help="What to do where recordings cannot be used: refuse (the default) or skip.")
]
AllowUnfit = Annotated[
    bool,
    typer.Option(
        "--allow-unfit-speakers",
        help="Normalise by speaker (features.normalization) though many show one emotion or have few recordings.",
    ),
]
AllowOverlap = Annotated[
    bool,
    typer.Option(
        "--allow-overlap",
        help="Take a list of folds that has speakers on both sides, and mark the figures as speaker-dependent.",
    ),
]
TestManifests = Annotated[
    list[str] | None,
    typer.Option("--test-manifest", help="Score each network on this corpus (CSV), too; repeatable."),
]
TestMerge = Annotated[
    list[str] | None,
    typer.Option("--test-merge", metavar="A=B", help="Emotion A of these corpora counts as the class B; repeatable."),
]
TestLeaveOut = Annotated[
    str | None, typer.Option("--test-leave-out", help="Emotions of these corpora that are not scored.")
]
TestScale = Annotated[
    str | None, typer.Option("--test-scale", metavar="LOW..HIGH", help="Scale of their ratings, where they state none.")
]
Devices = Annotated[
    int | None, typer.Option(min=1, help="Accelerators, or CPU processes, that train one network together; 1.")
]
Nodes = Annotated[
    int | None,
    typer.Option(min=1, help="Machines that train one network together, each with so many devices; 1."),
]
Out = Annotated[Path, typer.Option(help="The output folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")]
Fold = Annotated[int | None, typer.Option(min=0, help="The network of this fold instead of the final one.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Likewise of this seed.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")]
Architecture = Annotated[Path, typer.Option(help="The architecture.json of a search, or its folder.")]


def load(
    preset: str | None,
    file: Path | None,
    settings: list[str] | None,
    manifest: str | None,
    protocol: str | None,
    strategy: str | None = None,
    bad_audio: str | None = None,
    front_end: str | None = None,
) -> "ExperimentConfig":
    """The configuration that these options give."""
    from nni_emodarts.config import front_end_streams, load_config

    options = {
        "data.manifest": manifest, "data.protocol": protocol, "search.strategy": strategy, "data.bad_audio": bad_audio,
        "features.streams": None if front_end is None else front_end_streams(front_end),
    }  # fmt: skip
    return load_config(preset, file, settings or (), options)


def insisting(settings: list[str] | None, allow_unfit: bool, allow_overlap: bool = False) -> list[str]:
    """Settings with what `--allow-unfit-speakers` and `--allow-overlap` mean laid over them."""
    means = {"features.unfit_speakers=allow": allow_unfit, "data.speaker_overlap=allow": allow_overlap}
    return [*(settings or ()), *(setting for setting, is_given in means.items() if is_given)]


def sharing(settings: list[str], devices: int | None, nodes: int | None) -> list[str]:
    """Settings with what `--devices` and `--nodes` mean laid over them."""
    given = {"devices": devices, "nodes": nodes}
    return [*settings, *(f"{name}={count}" for name, count in given.items() if count is not None)]


def trial_arguments(
    preset: str | None,
    file: Path | None,
    settings: list[str] | None,
    strategy: str | None,
    bad_audio: str | None,
    front_end: str | None,
) -> list[str]:
    """These options as arguments of a trial, which starts in a folder of its own."""
    from nni_emodarts.config import located_model

    named = {
        "--preset": preset, "--config": file and str(file.resolve()), "--strategy": strategy, "--bad-audio": bad_audio,
        "--front-end": front_end and located_model(front_end),
    }  # fmt: skip
    given = [word for name, value in named.items() if value for word in (name, value)]
    return given + [word for setting in settings or () for word in ("--set", setting)]


def fold_numbers(text: str) -> "FoldChoice | None":
    """Numbers of folds in a text such as `0,2-4`, or `2-` for all from 2 on; None for `all`."""
    if text == "all":
        return None
    from nni_emodarts.data.fold_choice import From

    parts = text.split(",")
    opened = [part.strip()[:-1] for part in parts if part.strip().endswith("-")]
    others = ",".join(part for part in parts if not part.strip().endswith("-"))
    example = "0,2 or 0-3 or 2- or all"
    found = _numbers("folds", ",".join(opened), example) if opened else []
    return [*(_numbers("folds", others, example) if others or not opened else []), *map(From, found)]


def seed_numbers(text: str) -> list[int]:
    """Seeds in a text such as `1,2,5-7`."""
    seeds = _numbers("seeds", text, "0,2 or 0-3")
    if max(seeds) > LARGEST_SEED:
        raise ConfigError(f"seeds: {max(seeds)} is larger than {LARGEST_SEED}; name a smaller one")
    return seeds


def machine_numbers(text: str) -> list[int]:
    """Numbers of machines in a text such as `1,2,4`."""
    return _numbers("machines", text, "1,2,4")


def label_choice(merge: list[str] | None, leave_out: str | None, scale: str | None) -> "LabelChoice":
    """What becomes of labels and ratings of corpora that are scored on."""
    from nni_emodarts.config import parse_scale
    from nni_emodarts.data.other_corpora import LabelChoice

    found = None if scale is None else parse_scale(scale)
    if scale is not None and found is None:
        raise ConfigError(f"scale: {scale!r} must read like 1..7, the lowest value first")
    return LabelChoice(pairs("merge", merge), words(leave_out) if leave_out else (), scale=found)


def asked_for(
    manifests: list[str] | None, merge: list[str] | None, leave_out: str | None, scale: str | None
) -> "Asked":
    """Corpora that networks are to be scored on besides their own."""
    from nni_emodarts.config import SYNTHETIC
    from nni_emodarts.training.retrain.elsewhere import Asked

    if not manifests and (merge or leave_out or scale):
        raise ConfigError(
            "test-merge, test-leave-out and test-scale are of further corpora; name one by --test-manifest B.csv"
        )
    choice = label_choice(merge, leave_out, scale)
    return Asked(tuple(each if each == SYNTHETIC else str(Path(each).absolute()) for each in manifests or ()), choice)


def words(text: str) -> list[str]:
    """The parts of a text such as `anger,sadness`."""
    return [part.strip() for part in text.split(",")]


def pairs(name: str, texts: list[str] | None) -> dict[str, str]:
    """`A=B` texts as a mapping."""
    found = [text.partition("=") for text in texts or ()]
    bad = [key for key, sign, value in found if not (key and sign and value)]
    if bad:
        raise ConfigError(f"{name}: {bad[0]!r} must read like key=value")
    keys = [key for key, _, _ in found]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ConfigError(f"{name}: {twice[0]!r} is given twice; give it once")
    return {key: value for key, _, value in found}


def _numbers(name: str, text: str, example: str) -> list[int]:
    """Numbers in a text such as `0,2-4`."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            begin, end = int(first), int(last if dash else first)
            if begin > end:
                raise ConfigError(f"{name}: {part} runs backwards; write {last}-{first}")
            if end - begin >= _MANY:
                raise ConfigError(f"{name}: {part} names more than {_MANY:,}; name fewer")
            found += range(begin, end + 1)
    except ValueError:
        raise ConfigError(f"{name}: {text!r} must read like {example}") from None
    if len(set(found)) < len(found):
        raise ConfigError(f"{name}: {text!r} must name none twice")
    return found
