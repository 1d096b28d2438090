"""`python -m benchmarks.unchanged REVISION`: a fixed set of runs by a revision's code and by today's, byte for byte.

For changes that move code and must move nothing else: architectures, alphas, figures, predictions, drawings, exported
files, lists of files and what commands print are compared. Times, process ids and ids of NNI experiments are left out.

Both codes run in the same folder, one after the other, on one thread, with a cache and a home of their own. What the
first one made can be kept and compared with later states: `--out DIR` keeps it, and a second call finds it there.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

_FAST = ("search.epochs=2", "retrain.epochs=2", "search.batch_size=8", "retrain.batch_size=8")
_CORPUS = "--manifest corpus/manifest.csv --preset tiny --protocol loso"
_SET = " ".join(f"--set {setting}" for setting in _FAST)
_ONE_SHOT = ("darts", "darts_second_order", "gumbel_darts", "proxyless", "random_one_shot", "enas")
_MULTI_TRIAL = ("random", "grid", "evolution", "tpe")
_FEW = "--set search.options.candidates=4 --set search.options.concurrency=1 --set search.options.epochs=1"
_OPTIONS = {
    "plain": "accelerated=false",
    "pruned": "selection=perturbation tuning_steps=1",
    "priced": "cost.metric=flops cost.weight=0.5 partial_channels=2 beta_decay=0.1 eigenvalue=true warmup_epochs=1",
    "shared": "shared_depth=true normalized_recurrence=true recompute=true skip_dropout=0.2 max_skips=1",
}


def commands() -> dict[str, str]:
    """Name -> command line of each run, in their order."""
    search = f"search {_CORPUS} {_SET} --fold 0 --seed 1"
    retrain = f"retrain --architecture darts {_CORPUS} {_SET}"
    few_samples = "--set search.options.samples=3"
    runs = {"synthesize": "synthesize --out corpus --speakers 6 --utterances 2"}
    runs |= {
        f"search {name}": f"{search} --strategy {name} --out {name} {few_samples if name in _ONE_SHOT[4:] else ''}"
        for name in _ONE_SHOT
    }
    runs |= {
        f"search {name}": f"{search} --strategy darts --out {name} "
        + " ".join(f"--set search.options.{option}" for option in options.split())
        for name, options in _OPTIONS.items()
    }
    runs |= {
        f"search {name}": f"{search} --strategy {name} {_FEW} --out {name}"
        + (" --set search.options.max_cost.metric=flops --set search.options.max_cost.limit=1e9" * (name == "random"))
        for name in _MULTI_TRIAL
    }
    return runs | {
        "retrain": f"{retrain} --folds 0,1 --seeds 1,2 --allow-overlap --final --out retrained",
        "retrain again": f"{retrain} --folds 0-2 --seeds 1,2 --allow-overlap --resume --out retrained",
        "retrain wide": f"retrain --architecture evolution --folds 0 --out wide {_CORPUS} {_SET} "
        f"--set retrain.width=2.0 --set retrain.refit=true --set retrain.mixup=0.2 --set retrain.averaging=0.99",
        "search deltas": f"{search} --strategy darts --out deltas --set features.deltas=1 "
        "--set features.contours=[pitch]",
        "refused fold": f"{retrain} --folds 1 --out refused",
        "study": "study darts --out study --samples 2",
        "benchmark": f"benchmark --name small --methods darts,cnn_lstm,random_sampling,egemaps_svm --folds 0,1 "
        f"--seeds 1,2 --out results --runs runs {_CORPUS} {_SET}",
        "predict": "predict retrained --format csv corpus/01_anger_01.flac",
        "predict a fold": "predict retrained --fold 0 --seed 2 --over-time --window 0.5 --format json CLIPS",
        "export": "export retrained --out exported/model.onnx --int8 --manifest corpus/manifest.csv",
        "card": "card retrained",
        "draw": "draw darts --out drawn",
        "draw retrained": "draw retrained --out drawn_again",
        "report": "report searched=darts retrained paths=proxyless results/small.json --out report.html",
        "tensorboard": "tensorboard darts retrained --out events",
        "space": "space export --preset compact --out space.json",
        "experiment": f"experiment --out experiment.yml {_CORPUS} {_SET} --folds 0,2 --seeds 1,2 --strategy darts",
        "describe": "describe corpus/manifest.csv --out findings.csv",
        "strategies": "strategies",
        "corpora": "corpora",
        "prepare": "prepare csv corpus/manifest.csv --out prepared.csv --merge sadness=neutral",
    }  # fmt: skip


def main() -> None:
    """Record both, tell what differs, and leave with exit code 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="the code to compare with, such as HEAD~3 or a tag")
    parser.add_argument("--out", type=Path, help="folder for what both made; a temporary one where absent")
    parser.add_argument("--only", help="a part of the names of runs; those before them that they need run, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = (arguments.out or Path(temporary)).resolve()
        before = record(arguments.revision, out, arguments.only)
        after = record(None, out, arguments.only)
    differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in differing:
        what = "only before" if name not in after else "only now" if name not in before else "differs"
        print(f"{what}: {name}")
    print(f"{len(before)} things of {arguments.revision} compared, {len(differing)} differ")
    raise SystemExit(1 if differing else 0)


def record(revision: str | None, out: Path, only: str | None = None) -> dict[str, str]:
    """Run all commands by the code of a revision, or by that of the working tree, and digest what is there then.

    Returns:
        What there is -> digest of its contents; what a revision gave is found again in the folder.
    """
    name = "today" if revision is None else _git("rev-parse", "--short", revision)
    noted = out / f"{name}.json"
    if revision is not None and noted.exists():
        known: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
        return known
    code, work, kept = out / f"code-{name}", out / "work", out / name
    for folder in (code, work, kept):
        shutil.rmtree(folder, ignore_errors=True)
    _install(revision, code)
    work.mkdir(parents=True)
    for title, line in commands().items():
        if only is None or only in title or title in ("synthesize", "search darts"):
            _run(title, line, code, work)
    found = dict(digests(work))
    work.rename(kept)
    noted.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _install(revision: str | None, code: Path) -> None:
    """The package as files of its own, since an editable installation maps some of its folders to the working tree."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary)
        files = _git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
        if revision is None:
            for file in (file for file in files if (ROOT / file).is_file() and not file.startswith("docs/")):
                (source / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, source / file)
        else:
            archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", temporary], input=archive, check=True)
        words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(code), str(source)]
        subprocess.run([sys.executable, "-W", "ignore", "-m", "pip", *words], check=True, stderr=subprocess.DEVNULL)


def _run(title: str, line: str, code: Path, work: Path) -> None:
    """One command; what it prints is kept beside what it writes."""
    home = work / "home"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1", "HOME": str(home), "NNI_HOME": str(home / "nni"),
        "EMODARTS_CACHE": str(home / "cache"), "COLUMNS": "120", "PYTHONHASHSEED": "0",
    }  # fmt: skip
    clips = sorted(str(clip.relative_to(work)) for clip in work.glob("corpus/*.flac"))
    words = [sys.executable, "-m", "nni_emodarts", *line.replace("CLIPS", " ".join(clips[:3])).split()]
    print(f"{code.name}: {title}", flush=True)
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True)
    messages = [line for line in done.stderr.splitlines() if not _PROGRESS.match(line)]
    printed = "\n".join([f"exit code {done.returncode}", done.stdout, *messages])
    (work / "printed").mkdir(exist_ok=True)
    (work / "printed" / f"{title.replace(' ', '_')}.txt").write_text(printed, encoding="utf-8")


def digests(work: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of everything that runs left, without what no two runs have in common."""
    cells: list[Any] = []
    for file in sorted(path for path in work.rglob("*") if path.is_file()):
        name = file.relative_to(work).as_posix()
        if name.startswith(("home/", "events/")) or file.name == "files.txt":  # a list of the others
            continue
        if name.startswith("results/cells/"):  # a file a cell, or a line a cell
            text = file.read_text(encoding="utf-8")
            cells += [json.loads(text)] if file.suffix == ".json" else map(json.loads, text.splitlines())
            continue
        yield name, hashlib.sha256(_plain(file)).hexdigest()[:16]
    for cell in cells:
        name = f"cell {cell['method']}, fold {cell['fold']}, seed {cell['seed']}"
        yield name, hashlib.sha256(json.dumps(_timeless(cell), sort_keys=True).encode()).hexdigest()[:16]


_PROGRESS = re.compile(r".*: \d+/\d+")
"""A line of progress is printed where time has passed."""
_VARYING = re.compile(r"seconds|^experiments$|^environment$|^equal_cost$|^cpu$|^digests$")
_TIMES = re.compile(
    r"\b\d+(\.\d+)?(e-?\d+)? (ms|s|min|h|CPU s)\b|\b\d+:\d\d:\d\d\b|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?"
)
_IDS = re.compile(r"localhost:\d+|127\.0\.0\.1:\d+|\bpid \d+|#m[0-9a-f]{10}|\b[mp][0-9a-f]{10}\b")


def _plain(file: Path) -> bytes:
    """A file's contents without times and ids."""
    if file.name == "environment.json":
        return b""
    if file.suffix == ".json":
        return json.dumps(_timeless(json.loads(file.read_text(encoding="utf-8"))), sort_keys=True).encode()
    if file.suffix in (".txt", ".html", ".md", ".csv"):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".csv":
            text = _without_times(text)
        return _IDS.sub("ID", _TIMES.sub("TIME", text)).encode()
    return file.read_bytes()


def _timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _timeless(value) for key, value in data.items() if not _VARYING.search(key)}
    return [_timeless(value) for value in data] if isinstance(data, list) else data


def _without_times(table: str) -> str:
    """A table without its columns of seconds."""
    import csv
    import io

    rows = list(csv.reader(io.StringIO(table)))
    kept = [number for number, title in enumerate(rows[0] if rows else []) if not _VARYING.search(title)]
    return "\n".join(",".join(row[number] for number in kept if number < len(row)) for row in rows)


if __name__ == "__main__":
    main()
