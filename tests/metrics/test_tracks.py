"""Figures of two tracks are never compared, and none is taken for another's."""

import pandas as pd
import pytest
from finished_cells import finished

from nni_emodarts.benchmark import Method
from nni_emodarts.benchmark.checks import refuse_two_tracks
from nni_emodarts.config import load_config
from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.comparisons import compare_with
from nni_emodarts.metrics.enrolment import enrolment_entries, enrolment_figures
from nni_emodarts.metrics.summaries import summarize
from nni_emodarts.metrics.tracks import Track, one_track, tracks_of


def test_figures_that_state_no_track_are_from_scratch() -> None:
    assert Track.of({}) == Track("scratch", speaker_adapted=False) == Track.of(Track().to_dict())
    assert str(Track("pretrained", speaker_adapted=True)) == "pretrained, speaker-adapted"
    assert one_track({}) == Track()


def test_two_tracks_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"one \(scratch\) and other \(scratch, speaker-adapted\) are of two tracks"):
        one_track({"one": Track(), "same": Track(), "other": Track(speaker_adapted=True)})
    with pytest.raises(ValueError, match="two tracks"):
        tracks_of([{"track": "scratch"}, {"track": "pretrained"}])


def test_paired_tests_and_summaries_refuse_two_tracks() -> None:
    cells = {"cnn": [finished(method="cnn")], "lstm": [finished(speaker_adapted=True)]}
    with pytest.raises(ValueError, match="two tracks"):
        compare_with("cnn", cells)
    with pytest.raises(ValueError, match="two tracks"):
        summarize("lstm", [finished(), finished(fold=1, track="pretrained")])


def test_a_support_vector_machine_stands_beside_no_adapted_network() -> None:
    config = load_config("tiny", settings=["features.normalization=speaker"])
    with pytest.raises(ConfigError, match=r"methods cnn \(scratch, speaker-adapted\) and compare_svm \(scratch\)"):
        refuse_two_tracks(config, [Method("cnn"), Method("compare_svm")])
    assert refuse_two_tracks(config, [Method("cnn"), Method("darts")]) == Track(speaker_adapted=True)
    assert refuse_two_tracks(load_config("tiny"), [Method("cnn"), Method("compare_svm")]) == Track()


def table() -> pd.DataFrame:
    """Four utterances of one speaker: all others give three right answers, two give one."""
    return pd.DataFrame(
        {
            "seed": 1, "fold": 0, "speaker": "a", "emotion": ["joy", "joy", "fear", "fear"],
            "predicted": ["joy", "joy", "fear", "joy"], "k_all": 3, "k_2": [2, 2, 1, 2],
            "predicted_2": ["fear", "joy", "joy", "joy"],
        }
    )  # fmt: skip


def test_figures_by_enrolment_state_how_many_recordings_they_are_by() -> None:
    found = enrolment_figures(table(), ["fear", "joy"])["enrolment"]
    assert found == {
        "all": {"k": {"least": 3, "mean": 3.0, "most": 3}, "test_uar": 0.75},
        "2": {"k": {"least": 1, "mean": 1.8, "most": 2}, "test_uar": 0.25},
    }
    plain = table()[["seed", "fold", "speaker", "emotion", "predicted"]]
    assert enrolment_figures(plain, ["fear", "joy"]) == {} == enrolment_entries(plain, {})


def test_a_benchmark_sums_them_up() -> None:
    classes = ["fear", "joy"]
    entries = enrolment_entries(table(), {"classes": classes, **enrolment_figures(table(), classes)})
    speakers = {"a": [[1, 1], [0, 2]]}
    cell = finished(classes=classes, speakers=speakers, speaker_adapted=True, **entries)
    summary = summarize("lstm", [cell])
    assert summary.speaker_adapted
    assert summary.enrolment is not None
    assert {name: (each.most, each.uar_mean) for name, each in summary.enrolment.items()} == {
        "all": (3, 0.75), "2": (2, 0.25),
    }  # fmt: skip
    assert summarize("lstm", [finished()]).enrolment is None
