"""What is summed up of a method's finished cells."""

import numpy as np
import pandas as pd
import pytest
from finished_cells import finished
from sklearn.metrics import accuracy_score, recall_score

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.ensemble import pack_answers
from nni_emodarts.metrics.intervals import bootstrap_uar, speaker_confusions
from nni_emodarts.metrics.summaries import MethodSummary, summarize


def cell(fold: int, seed: int, right: int, **more: float) -> FinishedCell:
    """A fold of one speaker, of whose 10 utterances of each of two classes so many are recognised."""
    counts = [[right, 10 - right], [10 - right, right]]
    return finished(fold, seed, speakers={f"{fold}": counts}, test_uar=right / 10, **more)


def test_how_far_a_fold_deviates_from_seed_to_seed() -> None:
    right = {(0, 1): 5, (0, 2): 7, (0, 3): 9, (1, 1): 8, (1, 2): 8, (1, 3): 5}
    found = summarize("lstm", [cell(fold, seed, count) for (fold, seed), count in right.items()])
    variances = [np.var([0.5, 0.7, 0.9], ddof=1), np.var([0.8, 0.8, 0.5], ddof=1)]
    assert found.fold_uar_std == pytest.approx(np.sqrt(np.mean(variances)))
    assert found.uar_std < found.fold_uar_std, "the folds' luck evens out over the folds"
    assert summarize("lstm", [cell(0, 1, 5), cell(1, 1, 8)]).fold_uar_std is None


def test_what_random_search_may_spend_is_that_of_a_seed() -> None:
    costs = {"budget_cpu_seconds": 60.0, "payer_cpu_seconds": 30.0}
    found = summarize("random_search", [cell(fold, seed, 6, **costs) for fold in (0, 1) for seed in (1, 2)])
    assert (found.budget_cpu_seconds, found.payer_cpu_seconds) == (120.0, 60.0)
    assert found == MethodSummary.from_data(found.to_data())
    assert "ensemble" not in found.to_data(), "nothing is said of what is not known"


def test_every_figure_of_a_table_by_hand() -> None:
    """Two folds of one speaker each, three classes, two unlike seeds."""
    counts = {  # rows true, columns predicted: 8 of each class in fold 0, 2 of each in fold 1
        (0, 1): [[8, 0, 0], [4, 4, 0], [0, 6, 2]],
        (1, 1): [[1, 1, 0], [0, 2, 0], [0, 0, 2]],
        (0, 2): [[4, 4, 0], [0, 8, 0], [8, 0, 0]],
        (1, 2): [[2, 0, 0], [0, 0, 2], [0, 1, 1]],
    }
    cells = [
        finished(
            fold, seed, classes=["anger", "fear", "neutral"], speakers={f"{fold}": confusion},
            test_uar=np.trace(confusion) / np.sum(confusion), val_uar=0.1 * seed, cpu_seconds=10.0 * seed,
            search_cpu_seconds=1.0 + fold, parameters=100 * seed, flops=7 * seed,
        )
        for (fold, seed), confusion in counts.items()
    ]  # fmt: skip
    found = summarize("darts", cells)
    recalls = np.array([[9, 6, 4], [6, 8, 1]]) / 10  # of seeds 1 and 2, both folds together
    assert found.uar_by_seed == pytest.approx({"1": recalls[0].mean(), "2": recalls[1].mean()})
    assert found.uar_mean == pytest.approx(recalls.mean())
    assert found.uar_std == pytest.approx((recalls[0].mean() - recalls[1].mean()) / np.sqrt(2))
    assert found.wa_mean == pytest.approx((19 + 15) / 60)
    by_fold = {"0": (14 + 12) / 48, "1": (5 + 3) / 12}
    assert found.by_fold == pytest.approx(by_fold)
    assert found.wa_by_fold == pytest.approx(by_fold), "classes of equal size"
    assert found.fold_mean_uar == pytest.approx(sum(by_fold.values()) / 2)
    assert found.confusion == [[15, 5, 0], [4, 14, 2], [8, 7, 5]]
    assert found.recall == pytest.approx({"anger": 15 / 20, "fear": 14 / 20, "neutral": 5 / 20})
    assert found.uar_interval == pytest.approx(
        bootstrap_uar(np.array([[counts[fold, seed] for fold in (0, 1)] for seed in (1, 2)]))
    )
    assert found.val_uar == pytest.approx(0.15)
    assert (found.seeds, found.folds, found.speakers, found.utterances) == ([1, 2], [0, 1], 2, 30)
    assert (found.cpu_seconds, found.search_cpu_seconds) == (30.0, 3.0), "of one seed, all folds"
    assert (found.parameters, found.flops) == (150, round(10.5))
    unknown = cells[3].model_copy(update={"val_uar": None, "flops": None})
    assert (summarize("darts", [*cells[:3], unknown]).val_uar, summarize("darts", [unknown]).flops) == (None, None)


def test_the_ensemble_s_figures_are_scikit_learns() -> None:
    """The mean of the probabilities of two seeds, in the order of their utterances."""
    generator = np.random.default_rng(0)
    classes = ["anger", "fear", "neutral"]
    true = generator.choice(classes, 40)
    shares = generator.dirichlet([0.5] * 3, (2, 40))
    cells = []
    for seed, table in enumerate(shares, 1):
        answers = pd.DataFrame({
            "row": range(40), "speaker": [f"{row % 4}" for row in range(40)], "emotion": true,
            "predicted": np.array(classes)[table.argmax(1)],
            **{f"p_{name}": table[:, k] for k, name in enumerate(classes)},
        })  # fmt: skip
        confusions, packed = speaker_confusions(answers, classes), pack_answers(answers, classes)
        cells.append(finished(0, seed, classes=classes, speakers=confusions, answers=packed))
    together = np.array(classes)[shares.mean(0).argmax(1)]
    found = summarize("lstm", cells).ensemble
    assert found is not None
    assert found.uar == pytest.approx(recall_score(true, together, average="macro"))
    assert found.wa == pytest.approx(accuracy_score(true, together))
    assert found.uar_interval[0] < found.uar < found.uar_interval[1]
