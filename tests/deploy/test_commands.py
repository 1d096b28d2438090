import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from rich.console import Console

from nni_emodarts import EmotionRecognizer
from nni_emodarts.cli import console
from nni_emodarts.cli import main as cli
from nni_emodarts.data.facts import CorpusFacts, Licence, find_licence
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.deploy.answers import ClassChallengeWriter, DimensionChallengeWriter
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card, write_model_card
from nni_emodarts.deploy.predictions import Prediction
from nni_emodarts.errors import ConfigError

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `emodarts` in this process; returns exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["emodarts", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run


def test_json_is_a_list_of_answers(command: Command, run: Path, clips: list[Path]) -> None:
    code, printed, errors = command("predict", run, clips[0], "/no/such.wav", clips[1], "--format", "json")
    assert code == 1
    assert "/no/such.wav: no such file" in errors
    assert "1 of 3 recordings" in errors
    recognizer = EmotionRecognizer.from_run(run)
    expected = [recognizer.predict(clip) for clip in clips[:2]]
    assert json.loads(printed) == [
        {"file": each.file, "emotion": each.emotion, "probabilities": each.probabilities} for each in expected
    ]
    code, printed, errors = command("predict", run, "/no/such.wav", "a" * 300, "--format", "json")
    assert (code, json.loads(printed)) == (1, [])
    assert "cannot be reached (File name too long)" in errors


def test_challenges_of_msp_podcast_take_a_letter_a_recording(
    command: Command, run: Path, clips: list[Path], tmp_path: Path
) -> None:
    files = [tmp_path / f"MSP-PODCAST_test3_000{number}.flac" for number in range(3)]
    for file, clip in zip(files, clips, strict=False):
        shutil.copy(clip, file)
    code, printed, errors = command("predict", run, *files, "/no/such.wav", "--format", "msp_podcast")
    assert code == 1
    assert "/no/such.wav: no such file" in errors
    recognizer = EmotionRecognizer.from_run(run)
    letters = {"anger": "A", "happiness": "H", "neutral": "N", "sadness": "S"}
    expected = [[file.name, letters[recognizer.predict(file).emotion]] for file in files]
    assert list(csv.reader(io.StringIO(printed))) == [["FileName", "EmoClass"], *expected]
    code, _, errors = command("predict", run, files[0], "--format", "msp_podcast", "--over-time")
    assert code == 2
    assert "leave out --over-time" in errors
    with pytest.raises(ConfigError, match="no letter for boredom, a class of this network"):
        ClassChallengeWriter(["anger", "boredom"], timed=False)
    with pytest.raises(ConfigError, match="choose msp_podcast_dimensions"):
        ClassChallengeWriter([], timed=False, dimensions=["arousal"])
    code, _, errors = command("predict", run, files[0], "--format", "msp_podcast_dimensions")
    assert code == 2
    assert "wants arousal, valence, dominance, in which this network does not answer" in errors


def test_challenges_of_msp_podcast_take_dimensions_on_their_scale() -> None:
    writer = DimensionChallengeWriter([], timed=False, dimensions=["dominance", "valence", "arousal"])
    values = {"dominance": 7.5, "valence": 0.25, "arousal": 4.125}
    answer = Prediction("a/MSP-PODCAST_test3_0001.wav", None, {}, dimensions=values)
    table = list(csv.reader(io.StringIO(writer.head() + writer.line(answer))))
    assert table == [["FileName", "EmoAct", "EmoVal", "EmoDom"], ["MSP-PODCAST_test3_0001.wav", "4.125", "1", "7"]]
    with pytest.raises(ConfigError, match="msp_podcast_dimensions has one line a recording"):
        DimensionChallengeWriter([], timed=True, dimensions=["dominance", "valence", "arousal"])


def test_many_files_say_how_far_they_are_where_answers_go_elsewhere(
    command: Command, run: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_QUICK", 0.0)
    _, _, errors = command("predict", run, *clips[:2])
    assert errors.splitlines()[-1] == "recordings: 2/2"
    _, _, errors = command("predict", run, clips[0], "--over-time", "--window", 0.5, "--overlap", 0)
    assert errors.splitlines()[-1].startswith(f"windows of {clips[0]}: ")
    monkeypatch.setattr(console, "out", Console(force_terminal=True))
    _, _, errors = command("predict", run, *clips[:2])
    assert errors == "", "answers on the screen show it themselves"


def test_csv_and_table(command: Command, run: Path, clips: list[Path], tmp_path: Path) -> None:
    odd = tmp_path / 'a "b", [red]c.flac'
    shutil.copy(clips[0], odd)
    code, printed, errors = command("predict", run, odd, clips[1], "--format", "csv", "--batch-size", 2)
    assert (code, errors) == (0, "")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["file"] for row in rows] == [str(odd), str(clips[1])]
    assert list(rows[0]) == ["file", "emotion", "p_anger", "p_happiness", "p_neutral", "p_sadness"]
    found = EmotionRecognizer.from_run(run).predict(clips[0])
    assert rows[0]["emotion"] == found.emotion
    assert float(rows[0]["p_anger"]) == pytest.approx(found.probabilities["anger"], rel=1e-6)
    code, printed, _ = command("predict", run, odd, "--fold", 3)
    assert code == 0
    assert printed.splitlines()[0].split() == ["emotion", "anger", "happiness", "neutral", "sadness", "file"]
    assert printed.splitlines()[1].endswith(str(odd))


def test_over_time(command: Command, run: Path, speech: np.ndarray, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([speech, np.zeros(64000), speech]), 16000)
    words = ["predict", run, long, "/no/such.wav", "--over-time", "--window", 2, "--overlap", 0]
    code, printed, _ = command(*words, "--format", "json")
    found = json.loads(printed)
    assert code == 1
    assert [each["start"] for each in found] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert [each["emotion"] is None for each in found] == [False, False, True, False, False]
    assert [bool(each["probabilities"]) for each in found] == [True, True, False, True, True]
    rows = list(csv.DictReader(io.StringIO(command(*words, "--format", "csv")[1])))
    assert (rows[2]["emotion"], rows[2]["p_anger"], rows[2]["end"]) == ("", "", "6.000")
    assert "(silence)" in command(*words)[1]


def test_notes_go_to_standard_error(command: Command, run: Path, speech: np.ndarray, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clipped.wav", np.clip(100 * speech, -1, 1), 16000)
    code, printed, errors = command("predict", run, tmp_path / "clipped.wav", "--format", "json")
    assert code == 0
    assert len(json.loads(printed)) == 1
    assert "clipped.wav: clipped:" in errors


def test_what_predict_refuses(command: Command, run: Path, clips: list[Path], tmp_path: Path) -> None:
    for words, says in (
        ((run, clips[0], "--format", "xml"), "'xml' is unknown; known: table, csv, json"),
        ((run, clips[0], "--fold", 1), "fold 0 seed 1, fold 3 seed 1"),
        ((tmp_path / "absent", clips[0]), "does not exist"),
        ((tmp_path / "absent.onnx", clips[0]), "emodarts export"),
        ((run, clips[0], "--over-time", "--window", 0), "window"),
    ):
        code, printed, errors = command("predict", *words)
        assert (code, printed) == (2, "")
        assert says in errors


def test_export_and_predict(command: Command, run: Path, clips: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    code, printed, errors = command("export", run, *clips[:3], "/no/such.wav", "--out", out, "--int8")
    assert code == 1, "a recording to measure on is missing"
    assert "/no/such.wav" in errors
    for word in ("model.onnx", "model.int8.onnx", "model.md", "int8     on 3 recordings", "16000 Hz"):
        assert word in printed.replace("\n", " ")
    code, _, errors = command("export", run, "--out", out)
    assert code == 2
    assert "--overwrite" in errors
    assert command("export", run, "--out", out, "--overwrite")[0] == 0
    by_run = json.loads(command("predict", run, *clips[:4], "--format", "json")[1])
    by_file = json.loads(command("predict", out, *clips[:4], "--format", "json")[1])
    for one, other in zip(by_run, by_file, strict=True):
        assert one["emotion"] == other["emotion"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_the_card_tells_what_was_measured(run: Path) -> None:
    card = model_card(open_network(run))
    pooled = json.loads((run / "metrics.json").read_text())
    assert f"UAR (mean recall): {pooled['test_uar']:.3f}" in card
    assert "no interval of so few speakers" in card
    assert "trained on all speakers" in card
    assert "2 folds, 1 seed: 16 test utterances of 2 speakers" in card
    table = pd.read_csv(run / "predictions.csv", dtype=str)
    for label, recall in pooled["recall"].items():
        assert f"| {label} | {recall:.3f} |" in card
    assert "| recall | all | female | male |" in card
    assert "speakers (3 female, 3 male): 01" in card
    files = write_model_card(open_network(run)).read_text().partition("## Files")[2]
    assert "`architecture.json`" in files
    assert "## Files" not in card, "an exported file lies elsewhere"
    assert "Licence of the data: not stated" in card
    of_fold = model_card(open_network(run, fold=3))
    assert "Trained on the training speakers of fold 3" in of_fold
    assert "1 fold, 1 seed: 8 test utterances of 1 speaker" in of_fold, "its own figures, not the run's"
    assert len(table["speaker"].unique()) == 2


def test_gender_is_joined_by_speaker(run: Path, small_manifest: Path) -> None:
    from sklearn.metrics import recall_score

    card = model_card(open_network(run))
    genders = read_manifest(small_manifest).table.groupby("speaker")["gender"].first()
    table = pd.read_csv(run / "predictions.csv", dtype={"speaker": str})
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in card.splitlines() if line.startswith("| ")}
    for column, gender in ((1, "female"), (2, "male")):
        own = table[table["speaker"].map(genders) == gender]
        expected = recall_score(own["emotion"], own["predicted"], average=None, labels=["anger", "neutral"])
        assert [float(rows[name][column]) for name in ("anger", "neutral")] == pytest.approx(expected, abs=5e-4)


def test_a_card_follows_its_figures(command: Command, run: Path, tmp_path: Path) -> None:
    """More folds or seeds change what the network to ship is thought to reach, with `--final` or without."""
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    (folder / "config.yml").unlink()  # the command writes its own, which says the same in other words
    words = ["retrain", "--architecture", folder, "--config", run / "config.yml", "--folds", "0,3", "--seeds", 1]
    words += ["--out", folder, "--resume"]
    card = folder / "final/model_card.md"
    card.unlink(missing_ok=True)
    assert command(*words)[0] == 0
    assert not card.exists(), "none was asked for"
    card.write_text("of fewer folds")
    code, printed, _ = command(*words)
    assert code == 0
    assert "network to ship" in printed
    assert "2 folds, 1 seed" in card.read_text()


def test_a_card_without_its_recordings(run: Path, small_manifest: Path, tmp_path: Path) -> None:
    """A run that has moved to another machine still explains itself."""
    shutil.copytree(run, tmp_path / "run")
    config = tmp_path / "run/final/config.yml"
    config.write_text(config.read_text().replace(str(small_manifest), "/gone/manifest.csv"))
    assert model_card(open_network(tmp_path / "run")) == model_card(open_network(run)).replace(
        "/".join(small_manifest.parts[-2:]), "gone/manifest.csv"
    ), "the run keeps what a card says"
    for file in (tmp_path / "run").rglob("corpus.json"):  # an earlier version kept nothing
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({name: kept[name] for name in ("manifest", "recordings")}))
    card = model_card(open_network(tmp_path / "run"))
    assert "Recall by gender is not known: the run is of an earlier version, and its manifest was not found" in card
    assert "Licence of the data: not known, since" in card
    shutil.rmtree(tmp_path / "run/fold_00")
    (tmp_path / "run/predictions.csv").unlink()
    assert "Not measured" in model_card(open_network(tmp_path / "run"))


def test_an_interval_and_a_mark(run: Path, tmp_path: Path) -> None:
    """Five speakers give an interval; figures that flatter are marked."""
    from nni_emodarts.metrics.intervals import bootstrap_uar, speaker_confusions, stack_speakers

    shutil.copytree(run, tmp_path / "run")
    table = pd.read_csv(run / "predictions.csv", dtype={"speaker": str})
    many = pd.concat([table.assign(speaker=table["speaker"] + letter) for letter in "abc"])
    many["predicted"] = np.where(np.arange(len(many)) % 3 == 0, many["emotion"], many["predicted"])
    many.to_csv(tmp_path / "run/predictions.csv", index=False)
    metrics = json.loads((run / "metrics.json").read_text())
    for stated in ("digests", "confusion"):  # of a version that stated neither, so that other predictions fit
        metrics.pop(stated, None)
    (tmp_path / "run/metrics.json").write_text(json.dumps({**metrics, "overlap": ["02"]}))
    card = model_card(open_network(tmp_path / "run"))
    labels = ["anger", "happiness", "neutral", "sadness"]
    low, high = bootstrap_uar(stack_speakers([speaker_confusions(many, labels)]))
    assert f"95 % interval over speakers {low:.3f} to {high:.3f}" in card
    assert "**Not honest**" in card


def test_the_licence_beside_the_recordings(small_manifest: Path, tmp_path: Path) -> None:
    shutil.copytree(small_manifest.parent, tmp_path / "corpus")
    manifest = read_manifest(tmp_path / "corpus" / small_manifest.name)
    assert find_licence(manifest) is None
    (tmp_path / "corpus" / "sourcecode.txt").write_text("no")
    (tmp_path / "corpus" / "SOURCE.txt").write_text("Licence: CC BY 4.0")
    assert find_licence(manifest) == tmp_path / "corpus" / "SOURCE.txt"
    facts = CorpusFacts.of(manifest)
    assert facts.licence == Licence("SOURCE.txt", ["Licence: CC BY 4.0"])
    assert CorpusFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_the_card_command(command: Command, run: Path) -> None:
    assert command("card", run)[0] == 0
    text = (run / "final" / "model_card.md").read_text()
    assert text.startswith(model_card(open_network(run)) + "\n## Files\n")
    assert "- `architecture.json`: " in text
