"""The model card: what a network is, what it was measured on, and what it is not for (Mitchell et al. 2019)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nni_emodarts.config import PretrainedStream, SpectralStream
from nni_emodarts.data.corpus import FRONT_ENDS, load_manifest
from nni_emodarts.data.facts import CorpusFacts
from nni_emodarts.deploy.card_elsewhere import results_elsewhere
from nni_emodarts.deploy.card_of_classes import recall_table, uar_interval, vote_results
from nni_emodarts.deploy.card_of_dimensions import dimension_results, scales
from nni_emodarts.deploy.folder import NetworkFolder
from nni_emodarts.errors import EmodartsError
from nni_emodarts.metrics.dimensions import with_undecided
from nni_emodarts.metrics.headline import headlines_of
from nni_emodarts.metrics.notation import count_text, figure_text, interval_text
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.digests import read_predictions, read_undecided
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.plain_text import markdown, markdown_code
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CONFIG,
    CORPUS,
    ENVIRONMENT,
    GRAPH,
    HISTORY,
    METRICS,
    MODEL_CARD,
    NORMALIZATION,
    PREDICTIONS,
    WEIGHTS,
    RunFolder,
)

_SPEAKERS = 40  # named before they are only counted

_NOT_FOUND = "the run is of an earlier version, and its manifest was not found when this card was made"

_LIMITS = """\
- It names the class whose recordings sound most alike. It does not know what a person feels.
- Figures hold for recordings like those below: their language, speakers, microphones and way of speaking. Acted
  emotions are clearer than those of daily life. Measure it on recordings of your own before relying on it.
- It always names one of its classes. Speech with another emotion, several voices, music and noise get one as well; a
  low probability is a hint, not a warning system.
- Probabilities are those of a softmax and were not calibrated.
- Recall differs between emotions and between groups of speakers; see the tables. Groups that are not listed were not
  measured."""

_USE = """\
For research on speech emotion recognition, and for sorting recordings that a person then listens to. Not for decisions
about a person: hiring, teaching, insurance, health, credit, policing, border control. The European Union's AI Act
(Regulation 2024/1689, article 5) prohibits inferring emotions at workplaces and in education, but for medical and
safety reasons."""


_ENROLMENTS = {
    "all": "all other recordings of the speaker, the headline",
    "none": "no recording, so that the training speakers' statistics stand in",
    "neutral": "neutral speech alone",
}
"""How a test utterance's speaker was known."""

_FILES = {
    ARCHITECTURE: "the architecture, choice by choice, and where it comes from; `emodarts draw` draws it",
    CONFIG: "the whole configuration: data, features, space, search, training",
    WEIGHTS: "the weights",
    NORMALIZATION: "mean and deviation of each feature, of the training speakers; `within`, where there is any, the "
    "deviation within speakers",
    METRICS: "its labels (`classes`, in the order of the outputs), training and figures",
    HISTORY: "the training, epoch by epoch",
    GRAPH: "the network without its features, for viewers; `emodarts export` writes the one to use",
    CORPUS: "digests of the recordings, their number by class, their speakers' genders, their licence",
    ENVIRONMENT: "versions and hardware",
}
"""What the files beside a card are."""


@dataclass(frozen=True)
class Scored:
    """Test predictions behind a card.

    Attributes:
        table: columns `speaker`, `emotion`, `predicted`, `seed`, and `gender`, "" where unknown.
        interval: 95 % interval of the UAR over speakers; None where there are too few.
        rated: the same columns, of all that counts in dimensions.
    """

    table: pd.DataFrame
    interval: tuple[float, float] | None
    rated: pd.DataFrame


def model_card(network: NetworkFolder) -> str:
    """The card of a network as markdown.

    Raises:
        RunFolderError: the run's files are broken.
    """
    corpus = _facts_of_corpus(network)
    run = network.run
    figures = run.read_json(METRICS)
    scored = _scored(run, network.labels, corpus)
    parts = [
        f"# Emotion recogniser {markdown(figures_id(network))}",
        "\n".join(_facts(network, figures)),
        "## Intended use\n\n" + _USE,
        "## Limits\n\n" + _LIMITS,
        "## Data\n\n" + "\n".join(_data(network, corpus)),
        "## Results\n\n" + "\n".join(_results(network, figures, scored, corpus)),
    ]
    return "\n\n".join(parts) + "\n"


def write_model_card(network: NetworkFolder) -> Path:
    """Write the card beside a network's weights, over an older one; returns its file.

    Raises:
        RunFolderError: the run's files are broken.
    """
    there = [f"- `{name}`: {what}" for name, what in _FILES.items() if network.folder.has(name)]
    network.folder.write_text(MODEL_CARD, model_card(network) + "\n## Files\n\n" + "\n".join(there) + "\n")
    return network.folder.path / MODEL_CARD


def figures_id(network: NetworkFolder) -> str:
    """The id of a network's architecture, or its name where it is designed by hand; of an ensemble its members'."""
    if network.members:
        return f"ensemble of {', '.join(member.folder.path.name for member, _ in network.members)}"
    return str(network.folder.read_json(METRICS).get("architecture", "of unknown architecture"))


def _facts(network: NetworkFolder, figures: JsonMapping) -> Iterator[str]:
    features, metrics = network.config.features, network.folder.read_json(METRICS)
    yield from _answered(network)
    yield _origin(network)
    if "parameters" in figures:
        yield f"- Size: {figures['parameters']:,} parameters"
    for stream in network.streams:
        yield _spectrum(stream) if isinstance(stream, SpectralStream) else _levels(network, stream)
    if len(features.heard) > len(network.streams):
        others = ", ".join(
            each.name for each in features.heard if each.name not in {own.name for own in network.streams}
        )
        yield f"- Streams that its search could have heard, and that it does not hear: {others}"
    if features.functionals is not None:
        yield f"- Joined by openSMILE's functionals {features.functionals}, for which the package opensmile is needed"
    yield from _front_ends(network)
    if network.config.speaker_adapted:
        yield (
            "- Normalisation: **speaker-adapted**: each feature less its mean over other, unlabelled recordings of the "
            "same speaker (an enrolment), over their deviation; without any, by those of the training speakers"
        )
    epochs = metrics.get("epochs", metrics.get("best_epoch", "unknown"))
    yield f"- Training: {epochs} epochs, seed {metrics.get('seed', 'unknown')}"
    if network.folder.has(ENVIRONMENT):
        packages = network.folder.read_json(ENVIRONMENT).get("packages", {})
        yield "- Made by: " + ", ".join(
            f"{name} {packages[name]}" for name in ("nni_emodarts", "torch") if name in packages
        )


def _answered(network: NetworkFolder) -> Iterator[str]:
    if network.labels:
        yield f"- Classes: {_listed(network.labels)}"
    if network.outputs.dimensions:
        yield f"- Dimensions: {scales(network.outputs)}"


def _origin(network: NetworkFolder) -> str:
    """Where a network comes from, in a line."""
    if network.members:
        shares = ", ".join(f"{share:.0%} {markdown_code(each.folder.path.name)}" for each, share in network.members)
        return f"- Network: the weighted mean of {len(network.members)} networks of the space of emoDARTS: {shares}"
    if not network.folder.has(ARCHITECTURE):
        return "- Network: designed by hand"
    origin = Architecture.load(network.folder.path / ARCHITECTURE).origin
    strategy = markdown_code(str(origin.get("strategy", "unknown")))
    return f"- Network: found by the search strategy {strategy} in the space of emoDARTS"


def _spectrum(stream: SpectralStream) -> str:
    further = [*["deltas", "deltas of deltas"][: stream.deltas], *stream.contours]
    channels = f" and {', '.join(further)}" if further else ""
    return (
        f"- Input: speech at {stream.sampling_rate} Hz, heard as {stream.frequency_bins} bins of {stream.kind}"
        f"{channels}, every {stream.hop_ms:g} ms"
    )


def _levels(network: NetworkFolder, stream: PretrainedStream) -> str:
    taken = stream.levels
    which = "all levels" if taken is None else f"level{'s' if len(taken) > 1 else ''} {', '.join(map(str, taken))}"
    return (
        f"- Input: speech at {network.sampling_rate} Hz, heard as {which} of the pretrained encoder "
        f"{markdown_code(_short(stream.model))}, every {stream.hop_ms:g} ms"
    )


def _front_ends(network: NetworkFolder) -> Iterator[str]:
    """What the run kept of its pretrained encoders: they are needed to use the network, and have licences."""
    for folder in (network.folder, network.run):
        kept = folder.read_json(CORPUS).get(FRONT_ENDS) if folder.has(CORPUS) else None
        if isinstance(kept, list):
            for each in kept:
                facts = each if isinstance(each, dict) else {}
                size = facts.get("parameters")
                millions = f", {size / 1e6:.1f} M parameters" if isinstance(size, int | float) else ""
                revision = f", revision {markdown_code(str(facts['revision']))}" if facts.get("revision") else ""
                yield (
                    f"- Front end: {markdown_code(_short(str(facts.get('model'))))} ({markdown(str(facts.get('kind')))}"
                    f"{millions}), frozen; licence: {markdown(str(facts.get('licence')))}{revision}, SHA-256 "
                    f"{markdown_code(str(facts.get('digest')))}"
                )
            return


def _short(model: str) -> str:
    """A model's name, or the last part of its folder's, which is nobody else's business."""
    return Path(model).name if Path(model).is_absolute() else model


def _facts_of_corpus(network: NetworkFolder) -> CorpusFacts | None:
    """What the run kept of its corpus; of a run that kept nothing what its manifest says, where it is to be found."""
    for folder in (network.folder, network.run):
        if folder.has(CORPUS) and (kept := CorpusFacts.from_dict(folder.read_json(CORPUS))) is not None:
            return kept
    try:
        return CorpusFacts.of(load_manifest(network.config))
    except EmodartsError:
        return None


def _data(network: NetworkFolder, corpus: CorpusFacts | None) -> Iterator[str]:
    data = network.config.data
    metrics = network.folder.read_json(METRICS)
    manifests = (markdown_code(str(Path(*Path(each).parts[-2:]))) for each in data.manifests)
    yield f"- Recordings: {' and '.join(manifests)}"
    if data.merge:
        merged = (f"{markdown(name)} counts as {markdown(target)}" for name, target in data.merge.items())
        yield f"- Merged emotions: {', '.join(merged)}"
    if speakers := metrics.get("speakers"):
        named = f": {_listed(speakers)}" if len(speakers) <= _SPEAKERS else ""
        yield f"- Trained on {len(speakers)} speakers{_by_gender(speakers, corpus)}{named}"
    else:
        fold, protocol = metrics.get("fold", "unknown"), markdown_code(data.protocol_name)
        yield f"- Trained on the training speakers of fold {fold} of {protocol}"
    if corpus is None:
        yield f"- Licence of the data: not known, since {_NOT_FOUND}. A network may fall under it; find out."
        return
    if network.labels:
        yield "- Utterances: " + ", ".join(
            f"{corpus.utterances.get(label, 0)} {markdown(label)}" for label in network.labels
        )
    if corpus.licence is None:
        yield "- Licence of the data: not stated beside the recordings. A network may fall under it; find out."
        return
    yield f"- Licence of the data, from {markdown_code(corpus.licence.file)} beside the recordings:\n"
    yield from (f"  > {markdown(line)}" for line in corpus.licence.lines)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(markdown, names))


def _by_gender(speakers: Sequence[str], corpus: CorpusFacts | None) -> str:
    """How many of speakers are of each gender, where the manifest states it."""
    genders = {} if corpus is None else corpus.genders
    counts = Counter(genders.get(speaker) or "unknown" for speaker in speakers)
    return (
        ""
        if set(counts) <= {"unknown"}
        else f" ({', '.join(f'{counts[name]} {markdown(name)}' for name in sorted(counts))})"
    )


def _scored(run: RunFolder, labels: tuple[str, ...], corpus: CorpusFacts | None) -> Scored | None:
    if not run.has(PREDICTIONS):
        return None
    genders = {} if corpus is None else corpus.genders

    def with_genders(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(gender=[genders.get(speaker, "") for speaker in table["speaker"]])

    table = read_predictions(run)
    rated = with_genders(with_undecided(table, [read_undecided(run)]))
    return Scored(with_genders(table), uar_interval(table, labels) if labels else None, rated)


def _results(
    network: NetworkFolder, figures: JsonMapping, scored: Scored | None, corpus: CorpusFacts | None
) -> Iterator[str]:
    if scored is None or not headlines_of(figures):
        yield "Not measured on speakers that it was not trained on. Do so before using it."
        return
    table = scored.table
    speakers, folds, seeds = (table[name].nunique() for name in ("speaker", "fold", "seed"))
    utterances = len(table) // max(seeds, 1)
    if network.is_final:
        yield (
            "This network was trained on all speakers, so that none was left to test it on. The figures are those of "
            "networks of the same architecture and recipe, each tested on speakers that it was not trained on.\n"
        )
    yield (
        f"Protocol {markdown_code(network.config.data.protocol_name)}, {count_text(folds, 'fold')}, "
        f"{count_text(seeds, 'seed')}: "
        f"{count_text(utterances, 'test utterance')} of {count_text(speakers, 'speaker')}.\n"
    )
    track = Track.of(figures)
    if track != Track():
        yield f"**All figures below are {track}: compare them with none of another track.**\n"
    if network.labels:
        yield from _class_results(network, figures, scored)
    if figures.get("overlap"):
        yield (
            f"- **Not honest**: the architecture's search saw test speakers {_listed(figures['overlap'])}; the "
            f"figures flatter it"
        )
    if network.outputs.dimensions:
        yield from dimension_results(scored.rated, figures, network.outputs.dimensions)
        yield ""
    yield from results_elsewhere(figures)
    yield ""
    if network.labels:
        reason = _NOT_FOUND if corpus is None else "the manifest does not state it"
        yield from recall_table(table, network.labels, reason)


def _class_results(network: NetworkFolder, figures: JsonMapping, scored: Scored) -> Iterator[str]:
    """UAR and accuracy, and UAR by enrolment."""
    interval = "no interval of so few speakers"
    if scored.interval is not None:
        interval = f"95 % interval over speakers {interval_text(scored.interval)}"
    spread = figures.get("test_uar_std")
    headline = figure_text(figures["test_uar"], spread) + (" over the seeds" if spread is not None else "")
    yield f"- UAR (mean recall): {headline} ({interval}); guessing has {figure_text(1 / len(network.labels))}"
    yield f"- WA (accuracy): {figure_text(figures.get('test_wa'))}"
    yield from vote_results(figures)
    for name, found in figures.get("enrolment", {}).items():
        k = "k = {least} to {most}, mean {mean:g}".format(**found["k"])
        known_by = _ENROLMENTS.get(name, f"{name} other recordings of the speaker at most")
        yield f"- UAR, speaker-adapted by {known_by} ({k}): {figure_text(found['test_uar'])}"
