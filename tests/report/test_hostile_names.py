"""A corpus whose labels, speakers, texts and file names are markup: a browser shows them and runs none of them."""

import re
from pathlib import Path

import pandas as pd
import pytest
from browser import CHROMIUM, browser

from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import fold_tasks
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import write_model_card
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import report
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain

MARKUP = (
    "<img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>",
    '"><svg onload=window.ran=1>',
    "' onmouseover='window.ran=1",
    "[here](javascript:window.ran=1)",
    "{{ 7 * 7 }} ${window.ran=1} <!--",
)


def hostile(manifest: Path, folder: Path) -> Path:
    """The corpus with every name made of markup."""
    table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    names = {
        label: f"{label} {MARKUP[number % len(MARKUP)]}" for number, label in enumerate(sorted(set(table.emotion)))
    }
    people = {name: f"{name} {MARKUP[number % len(MARKUP)]}" for number, name in enumerate(sorted(set(table.speaker)))}
    for row, file in enumerate(table.file):
        called = f"{row} {MARKUP[row % len(MARKUP)].replace('/', '∕')}.flac"
        (folder / called).symlink_to((manifest.parent / file).resolve())
        table.loc[row, "file"] = called
    table["emotion"], table["speaker"] = table.emotion.map(names), table.speaker.map(people)
    table["text"] = [MARKUP[row % len(MARKUP)] for row in range(len(table))]
    table.to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_a_report_shows_markup_and_runs_none(small_manifest: Path, tmp_path: Path) -> None:
    corpus_folder = tmp_path / "<b>corpus"
    corpus_folder.mkdir()
    manifest = hostile(small_manifest, corpus_folder)
    settings = ["retrain.epochs=1", "retrain.batch_size=8"]
    config = load_config("tiny", settings=settings, options={"data.manifest": str(manifest), "data.protocol": "loso"})
    corpus = load_corpus(config)
    architecture = random_architecture(config.space, corpus.num_classes, corpus.input_shape, 1)
    run = RunFolder.claim(tmp_path / "<i onclick=window.ran=1>run")
    retrain(fold_tasks(config, corpus, [0], [1]), architecture, run, final=True)

    page_file = report([f"<u>name={run.path}"], tmp_path / "report.html", audio=True)
    with browser(tmp_path / "profile") as page:
        page.open(page_file.as_uri())
        page.wait("document.documentElement?.dataset.ready === 'yes'")
        shown = page.text()
        seen = [text for text in MARKUP if text in shown]
        assert MARKUP[0] in seen, "labels are shown as they are written"
        assert len(seen) >= 3
        page.run("[...document.querySelectorAll('body *')].forEach(e => e.dispatchEvent(new Event('mouseover')))")
        assert page.run("typeof window.ran") == "undefined"
        assert page.run("[...document.querySelectorAll('a')].filter(a => /^javascript:/i.test(a.href)).length") == 0
        assert "49" not in page.run("document.title"), "no template is filled in twice"
    card = write_model_card(open_network(run.path)).read_text()
    assert "<img" not in card
    assert "<script" not in card
    assert re.search(r"(?<!\\)\]\(javascript:", card) is None, "no link comes of a name"
