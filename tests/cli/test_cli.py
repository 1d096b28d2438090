"""The command line as a person uses it: real processes, exit codes, messages."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nni_emodarts.config import load_config
from nni_emodarts.runtime.run_folder import RunFolder

Refused = Callable[..., None]


def process(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nni_emodarts", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def searched(small_manifest: Path, fast_words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "search"
    done = process("search", "--manifest", small_manifest.name, "--preset", "tiny", "--protocol", "loso", "--fold", 0,
                    "--strategy", "darts", "--seed", 1, "--out", out, *fast_words,
                    cwd=small_manifest.parent)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "search: 1/1" in done.stderr, "plain lines where there is no terminal"
    assert "Warning" not in done.stderr
    assert "litlogger" not in done.stderr.lower()
    assert "undecided: entropy 1.00 of 1" in done.stdout
    assert "note: the search is undecided: its choices are still mixed" in done.stderr
    return out


def test_help_answers_without_torch() -> None:
    assert process("--help").returncode == 0
    probe = "import sys; import nni_emodarts.cli.main; assert 'torch' not in sys.modules and 'nni' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_search_and_retrain(refused: Refused, searched: Path, small_manifest: Path, tmp_path: Path) -> None:
    assert 0 <= json.loads((searched / "metrics.json").read_text())["val_uar"] <= 1
    out = tmp_path / "retrain"
    words = ["retrain", "--manifest", small_manifest, "--architecture", searched / "architecture.json", "--protocol",
             "loso", "--folds", "0", "--seeds", "1,2"]  # fmt: skip
    done = process(*words, "--out", out)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics) >= {"test_uar", "test_wa", "test_macro_f1", "recall"}
    assert set(metrics["recall"]) == {"anger", "happiness", "neutral", "sadness"}
    assert f"{metrics['test_uar']:.3f}" in done.stdout
    refused(*words, "--out", out, says=("not empty", "--resume", "--overwrite"))
    assert process(*words, "--out", out, "--resume").returncode == 0
    assert process("results", out).returncode == 0
    # The search saw every speaker but that of fold 0.
    other = [*words[:-3], "0,1", "--seeds", "1"]
    refused(*other, "--out", tmp_path / "no", says=("fold 1", "--allow-overlap"))
    refused(*words, "--out", small_manifest.parent, "--resume", says=("holds no run to go on with",))
    refused(*words, "--out", searched, "--resume", says=("holds a search and no retraining",))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "metrics.json").write_text("{}")
    refused(*other, "--out", tmp_path / "there", "--overwrite", says=("no run, but a file metrics.json",))
    RunFolder(tmp_path / "there").write_text("metrics.json", "{}")
    refused(*other, "--out", tmp_path / "there", "--overwrite", says=("--allow-overlap",))
    assert (tmp_path / "there" / "metrics.json").exists(), "a run that is there outlives a refusal"
    allowed = process(*other, "--out", tmp_path / "marked", "--allow-overlap", "--final")
    assert allowed.returncode == 0, allowed.stderr
    assert "NOT HONEST" in allowed.stdout
    assert (tmp_path / "marked" / "final" / "weights.safetensors").is_file()
    assert "**Not honest**" in (tmp_path / "marked" / "final" / "model_card.md").read_text()


def test_a_search_is_retrained_from_any_folder_on_the_folds_that_it_did_not_hear(
    refused: Refused, searched: Path, tmp_path: Path
) -> None:
    """Neither the manifest, which the search was given by a relative path, nor the folds are named."""
    words = ["retrain", "--architecture", searched]
    done = process(*words, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "fold 0 of 6" in done.stderr
    assert "networks: 0/1" in done.stderr
    assert list(json.loads((tmp_path / "out" / "metrics.json").read_text())["folds"]) == ["0"]
    refused(*words, "--out", "all", "--folds", "all", cwd=tmp_path, says=("5 of 6 folds", "--folds 0)"))


def test_a_finished_search_is_not_repeated(
    refused: Refused, searched: Path, small_manifest: Path, fast_words: list[str]
) -> None:
    stamp = (searched / "metrics.json").stat().st_mtime_ns
    words = ["search", "--manifest", small_manifest, "--preset", "tiny", "--out", searched, *fast_words]
    refused(*words, says=("not empty",))
    assert "finished" in process(*words, "--resume").stdout
    refused(*words, "--resume", "--fold", 3, says=("another fold",))
    refused(*words, "--resume", "--seed", 9, says=("another seed",))
    assert (searched / "metrics.json").stat().st_mtime_ns == stamp


def test_bad_input_is_one_message_and_leaves_nothing(
    refused: Refused, small_manifest: Path, searched: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    good = ["search", "--manifest", small_manifest, "--preset", "tiny", "--out", out]
    refused("search", "--manifest", tmp_path / "absent.csv", "--out", out, says=("absent.csv",))
    done = process("search", "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--manifest" in done.stderr
    assert "Traceback" not in done.stderr
    refused(*good, "--protocol", "losso", says=("losso", "loso"))
    refused(*good, "--protocol", "kfold:99", says=("99",))
    refused(*good, "--fold", 6, says=("6", "0 to 5"))
    refused(*good, "--strategy", "dart", says=("dart", "darts"))
    refused(*good, "--set", "search.epoch=3", says=("search.epoch", "epochs"))
    refused(*good, "--config", tmp_path / "absent.yml", says=("absent.yml",))
    refused("search", "--manifest", small_manifest, "--preset", "tny", "--out", out, says=("tny", "tiny"))
    refused("search", "--manifest", small_manifest, "--frobnicate", "--out", out, says=("frobnicate",))
    table = pd.read_csv(small_manifest).drop(columns="emotion")
    table.to_csv(tmp_path / "lame.csv", index=False)
    refused("search", "--manifest", tmp_path / "lame.csv", "--out", out, says=("lame.csv", "emotion"))
    prepared = ["prepare", "csv", small_manifest, "--out", out]
    refused(*prepared, "--option", "emotions=x", says=("no option 'emotions'",))
    retrain = ["retrain", "--manifest", small_manifest, "--out", out]
    refused(*retrain, "--architecture", tmp_path / "absent.json", says=("absent.json",))
    architecture = searched / "architecture.json"
    refused(*retrain, "--architecture", architecture, "--preset", "compact", says=("another space", "compact"))
    refused(*retrain, "--architecture", architecture, "--folds", "0,7", says=("7", "0 to 5"))
    refused(*retrain, "--architecture", architecture, "--seeds", "one", says=("one",))
    data = json.loads(architecture.read_text())
    data["choices"]["normal_2"] = [0, 9]
    (tmp_path / "broken.json").write_text(json.dumps(data))
    refused(*retrain, "--architecture", tmp_path / "broken.json", says=("normal_2", "broken.json"))
    refused(*retrain, "--architecture", architecture, "--folds", "0,3-1", says=("3-1 runs backwards; write 1-3",))
    (tmp_path / "config.yml").write_text("search: {epochs: 3}\n")
    own = ["--config", tmp_path / "config.yml", "--out", tmp_path, "--overwrite"]
    refused("search", "--manifest", small_manifest, *own, says=("holds no run, but a file config.yml",))
    assert (tmp_path / "config.yml").read_text() == "search: {epochs: 3}\n"
    refused("run", tmp_path / "absent.yml", says=("absent.yml", "does not exist"))
    (tmp_path / "endless.yml").write_text("trialCommand: x\n")
    refused("run", tmp_path / "endless.yml", says=("endless.yml", "maxTrialNumber is missing"))
    assert not out.exists(), "nothing half-written"


def test_an_experiment_of_ones_own(refused: Refused, small_manifest: Path, tmp_path: Path) -> None:
    import yaml

    words = ["experiment", "--manifest", small_manifest.name, "--preset", "compact", "--out", tmp_path / "my.yml"]
    done = process(*words, "--seeds", "1,2", cwd=small_manifest.parent)
    assert done.returncode == 0, done.stderr
    assert "note" not in done.stderr
    data = yaml.safe_load((tmp_path / "my.yml").read_text())
    assert data["maxTrialNumber"] == 12
    assert data["searchSpace"]["fold"]["_value"] == [0, 1, 2, 3, 4, 5]
    assert str(small_manifest) in data["trialCommand"], "a trial starts elsewhere"
    assert "--preset compact" in data["trialCommand"]
    assert Path(data["trialCodeDirectory"]).is_dir()
    corpus = Path(shutil.copytree(small_manifest.parent, tmp_path / "corpus"))
    (corpus / small_manifest.name).rename(tmp_path / "elsewhere.csv")
    (corpus / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    linked = ["--manifest", "corpus/link.csv", "--set", "data.cache=store", "--out", "linked.yml"]
    done = process("experiment", *linked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    command = yaml.safe_load((tmp_path / "linked.yml").read_text())["trialCommand"]
    assert str(corpus / "link.csv") in command, "recordings lie relative to the link"
    assert f"data.cache={tmp_path / 'store'}" in command
    done = process(
        "experiment", "--set", "data.manifest=synthetic", "--seeds", "1-20", "--out", "made.yml", cwd=tmp_path
    )
    assert "8 folds x 20 seeds are 160 trials" in " ".join(done.stderr.split())
    assert "--manifest synthetic" in yaml.safe_load((tmp_path / "made.yml").read_text())["trialCommand"]
    refused(*words, says=("my.yml", "--overwrite"), cwd=small_manifest.parent)
    refused("run", tmp_path / "none.yml", says=("none.yml",))
    refused("results", "nosuchexperiment", says=("nosuchexperiment",))


def test_printed_commands_can_be_pasted(small_manifest: Path, tmp_path: Path) -> None:
    """Paths with blanks, quotation marks and hashes reach the command, the trial and the store as they are."""
    import yaml

    folder = tmp_path / "my data #1"
    folder.mkdir()
    words = ["--manifest", small_manifest, "--preset", "tiny", "--folds", "4-", "--set", f"data.cache={folder}/it's"]
    done = process("experiment", *words, "--out", folder / "my exp.yml")
    assert done.returncode == 0, done.stderr
    line = done.stdout.strip()
    for start, end in (("now: ", "   or: "), ("   or: ", None)):
        command = line[line.index(start) + len(start) : line.index(end) if end else None]
        assert shlex.split(command)[-1] == str(folder / "my exp.yml")
    data = yaml.safe_load((folder / "my exp.yml").read_text())
    assert data["searchSpace"]["fold"]["_value"] == [4, 5]
    trial = shlex.split(data["trialCommand"])
    settings = [trial[place + 1] for place, word in enumerate(trial) if word == "--set"]
    assert load_config("tiny", settings=settings).data.cache == f"{folder}/it's"


def test_notes_of_a_manifest_are_shown(refused: Refused, small_manifest: Path, tmp_path: Path) -> None:
    table = pd.read_csv(small_manifest, dtype=str)
    table["file"] = [str(small_manifest.parent / file) for file in table["file"]]
    table["emotion"] = table["emotion"].where(table.index % 2 > 0, table["emotion"].str.upper())
    table.to_csv(tmp_path / "m.csv", index=False)
    words = ["--manifest", tmp_path / "m.csv", "--protocol", "kfold:3"]
    for command in (["experiment", *words, "--out", tmp_path / "e.yml"], ["describe", tmp_path / "m.csv"],
                    ["prepare", "csv", tmp_path / "m.csv", "--out", tmp_path / "p.csv"]):  # fmt: skip
        done = process(*command)
        assert done.returncode == 0, done.stderr
        assert "look alike and count as different" in " ".join((done.stdout + done.stderr).split()), command
    table["speaker"] = [f"{'sS'[row % 2]}{name}" for row, name in enumerate(table["speaker"])]
    table.to_csv(tmp_path / "m.csv", index=False)
    refused("search", *words, "--out", tmp_path / "s", says=("note: speaker:", "look like one person"))
    assert not (tmp_path / "s").exists()


def test_describe(refused: Refused, small_manifest: Path, tmp_path: Path) -> None:
    done = process("describe", small_manifest, "--out", tmp_path / "found.csv")
    assert done.returncode == 0, done.stderr
    for word in ("happiness", "48 utterances in 48 files", "16000 Hz (48)", "FLAC PCM_16 (48)", "nothing is wrong"):
        assert word in done.stdout
    assert (tmp_path / "found.csv").read_text() == "kind,file,reason\n"
    refused("describe", small_manifest, "--out", tmp_path / "found.csv", says=("found.csv", "--overwrite"))
    refused("describe", tmp_path / "absent.csv", says=("absent.csv",))


def test_synthesize(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "made [bold]"  # no markup, though it looks so
    done = process("synthesize", "--out", folder, "--speakers", 2, "--utterances", 1)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {folder / 'manifest.csv'}\n"
    assert len(pd.read_csv(folder / "manifest.csv")) == 8
    refused("synthesize", "--out", folder, says=("not empty",))
