"""Several seeds that answer together, against the mean of their tables."""

import numpy as np
import pandas as pd
import pytest
from finished_cells import finished
from sklearn.metrics import recall_score

from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.metrics.ensemble import joint_confusions, pack_answers
from nni_emodarts.metrics.intervals import speaker_confusions, uar_of_confusion

CLASSES = ["anger", "happiness", "sadness"]


def predicted(seed: int, speakers: str, utterances: int = 40) -> pd.DataFrame:
    """Made predictions: truth and speakers are the same for all seeds."""
    truth, guess = np.random.default_rng(len(speakers)), np.random.default_rng(seed)
    probabilities = guess.dirichlet(np.ones(3), utterances)
    table = pd.DataFrame(
        {"speaker": truth.choice(list(speakers), utterances), "emotion": truth.choice(CLASSES, utterances)}
    )
    table["predicted"] = np.array(CLASSES)[probabilities.argmax(1)]
    for number, name in enumerate(CLASSES):
        table[f"p_{name}"] = probabilities[:, number]
    return table


def cell(fold: int, seed: int, table: pd.DataFrame) -> FinishedCell:
    return finished(fold, seed, answers=pack_answers(table, CLASSES))


def test_the_mean_of_the_probabilities_decides() -> None:
    tables = {
        (fold, seed): predicted(10 * fold + seed, "ab" if fold else "cde") for fold in (0, 1) for seed in (1, 2, 3)
    }
    found = joint_confusions(cell(fold, seed, table) for (fold, seed), table in tables.items())
    true, answers = [], []
    for fold in (0, 1):
        mean = np.mean([tables[fold, seed].filter(like="p_").to_numpy() for seed in (1, 2, 3)], 0)
        true += tables[fold, 1]["emotion"].to_list()
        answers += [CLASSES[number] for number in mean.argmax(1)]
    assert found.shape == (1, 5, 3, 3)
    expected = recall_score(true, answers, average="macro")
    assert uar_of_confusion(found.sum((0, 1))) == pytest.approx(expected)


def test_one_network_alone_answers_as_it_did() -> None:
    table = predicted(7, "ab")
    confusions = speaker_confusions(table, CLASSES)
    assert joint_confusions([cell(0, 1, table)])[0].tolist() == [confusions["a"], confusions["b"]]


def test_unknown_speakers_of_two_folds_are_two_people() -> None:
    tables = [predicted(seed, "ab").assign(speaker="") for seed in (1, 2)]
    assert joint_confusions([cell(0, 1, tables[0]), cell(1, 1, tables[1])]).shape == (1, 2, 3, 3)


def test_seeds_of_other_utterances_are_refused() -> None:
    first, second = predicted(1, "ab"), predicted(2, "ab")
    with pytest.raises(ValueError, match="other utterances of speaker 'a'"):
        joint_confusions([cell(0, 1, first), cell(0, 2, second.drop(index=second.index[second["speaker"] == "a"][0]))])
    second["emotion"] = second["emotion"].map(dict(zip(CLASSES, [*CLASSES[1:], CLASSES[0]], strict=True)))
    with pytest.raises(ValueError, match="other utterances"):
        joint_confusions([cell(0, 1, first), cell(0, 2, second)])
    with pytest.raises(ValueError, match="fold 0, seed 3 does not say what was answered"):
        joint_confusions([cell(0, 1, first), finished(0, 3)])


def test_answers_that_are_no_numbers_are_no_answers() -> None:
    tables = [predicted(seed, "ab") for seed in (1, 2)]
    odd = tables[1].assign(emotion=tables[0]["emotion"])
    odd.loc[odd.index[odd["speaker"] == "b"][0], "p_anger"] = float("nan")
    with pytest.raises(ValueError, match="speaker 'b' are no numbers"):
        joint_confusions([cell(0, 1, tables[0]), cell(0, 2, odd)])
