"""Strategies that search by single paths, through whole searches of the small corpus."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot.random_one_shot import RandomSearch
from nni_emodarts.search.run import search

QUICK = [
    "search.epochs=2",
    "search.epoch_steps=2",
    "search.batch_size=8",
    "space.cnn_primitives=[skip_connect,sep_conv_3x3,none]",
    "space.seqnn_primitives=[skip_connect,lstm_1]",
]


def configured(manifest: Path, strategy: str, *more: str) -> ExperimentConfig:
    options = {"data.manifest": str(manifest), "data.protocol": "loso", "search.strategy": strategy}
    return load_config("tiny", settings=[*QUICK, *more], options=options)


@pytest.mark.parametrize(("strategy", "instead"), [("enas", "random_one_shot"), ("policy_rl", "evolution or tpe")])
def test_a_strategy_without_its_packages_stops_before_training(
    strategy: str,
    instead: str,
    small_manifest: Path,
    small_corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tianshou", None)
    config = configured(small_manifest, strategy)
    says = rf"{strategy} needs tianshou.*pip install 'nni_emodarts\[rl\]', or take .*{instead}"
    with pytest.raises(ConfigError, match=says):
        search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    assert not any((tmp_path / "out").iterdir())


def test_the_gradient_of_sampled_paths_is_clipped(
    small_manifest: Path, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    clip = RandomSearch.configure_gradient_clipping

    def noting(module: RandomSearch, optimizer: Any, *words: Any, **named: Any) -> None:
        clip(module, optimizer, *words, **named)
        gradients = [p.grad.norm() for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.stack(gradients).norm()))

    monkeypatch.setattr(RandomSearch, "configure_gradient_clipping", noting)
    config = configured(
        small_manifest, "random_one_shot", "search.optimizer.gradient_clip=0.001", "search.options.samples=2"
    )
    search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    assert norms == pytest.approx([0.001] * 4, rel=1e-3)


def test_the_cost_penalty_moves_the_alphas_of_proxyless_towards_cheap_operations(
    small_manifest: Path, small_corpus: Corpus, tmp_path: Path
) -> None:
    shares = {}
    for weight in (0, 50):
        config = configured(
            small_manifest, "proxyless", "search.options.warmup_epochs=0", f"search.options.cost.weight={weight}",
            "search.options.alpha_learning_rate=0.1",
        )  # fmt: skip
        out = RunFolder.claim(tmp_path / str(weight))
        search(FoldTask.of(config, small_corpus, 0, 1), out)
        alphas = pd.read_csv(out.path / "alphas.csv", dtype={"choice": str}, keep_default_na=False)
        last = alphas[(alphas["epoch"] == 1) & (alphas["choice"] == "lstm_1")]
        shares[weight] = last["probability"].mean()
    assert shares[50] < shares[0] - 0.05
    assert set(alphas.loc[alphas["label"] == "normal_3", "choice"]) == {"0+1", "0+2", "1+2"}


@pytest.mark.skipif(not STRATEGIES["enas"].installed, reason="needs the extra rl")
def test_the_controller_of_enas_outlives_the_training(
    small_manifest: Path, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NNI makes a new one whenever the network is set, also just before the export."""
    from nni_emodarts.search.one_shot.enas import EnasSearch

    seen: list[Any] = []
    choose = EnasSearch.choose

    def noting(module: EnasSearch, *words: Any) -> dict[str, Any]:
        seen.append(module.policy.optim.state_dict()["state"])
        return choose(module, *words)

    monkeypatch.setattr(EnasSearch, "choose", noting)
    out = RunFolder.claim(tmp_path / "out")
    config = configured(small_manifest, "enas", "search.options.samples=2", "search.options.warmup_epochs=1")
    search(FoldTask.of(config, small_corpus, 0, 1), out)
    assert seen[0], "the controller's optimiser has made steps"
    history = pd.read_csv(out.path / "history.csv")
    assert history["reward"].isna().tolist() == [True, False]
