"""Kinds of operations, held against the networks that are built; and how far architectures agree."""

from typing import Any

import pytest
from finished_cells import finished

from benchmarks.evidence.agreement import agreements
from benchmarks.evidence.operations import count_operations, expected_shares, shares
from nni_emodarts.config import load_config
from nni_emodarts.metrics.cells import FinishedCell
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.models.space.mixed import SKIP

COMPACT = load_config("compact").space


@pytest.mark.parametrize("seed", range(4))
def test_skips_count_where_the_built_network_has_no_parameters(seed: int) -> None:
    drawn = random_architecture(COMPACT, 4, (1, 64), seed)
    choices = {label: SKIP if isinstance(chosen, str) else chosen for label, chosen in drawn.choices.items()}
    made = Architecture.from_choices(COMPACT, choices, 4, (1, 64))
    network = build_model(made)
    cells = [network.cnn_cells[0], network.cnn_cells[1], network.seqnn_cells[0]]  # one of each kind
    edges = [edge for cell in cells for node in cell.nodes for edge in node.edges.values()]
    free = [edge for edge in edges if not list(edge.parameters())]
    counts = count_operations([made.choices])
    assert (counts["cnn"] + counts["sequential"], counts["skip_connections"]) == (len(edges), len(free))
    assert 0 < len(free) < len(edges), "edges from a reduction cell's inputs have stride 2"


def test_uniform_draws_take_as_many_as_the_space_says() -> None:
    """Of compact's 12 edges 8 hold one of 7 operations, 4 one of 13; 2 + 4/3 of the former have stride 2 on average."""
    expected = expected_shares(COMPACT)
    assert expected["pooling"] == pytest.approx(8 * 2 / 7 / 12, abs=0.01)
    assert expected["skip_connections"] == pytest.approx(((8 - 10 / 3) / 7 + 4 / 13) / 12, abs=0.01)
    assert expected["wide_kernels"] == pytest.approx(2 / 7, abs=0.01)
    assert expected["lstm"] == pytest.approx(6 / 13, abs=0.02)
    assert expected["attention"] == pytest.approx(4 / 13, abs=0.02)
    assert expected["deepest"] == pytest.approx(2 / 13, abs=0.02)


def test_kinds_are_shares_of_the_operations_that_may_be_of_them() -> None:
    choices = {
        "normal_2": [0, 1], "normal_2_0": "sep_conv_5x5", "normal_2_1": "skip_connect", "reduce_2_0": "skip_connect",
        "reduce_3_2": "max_pool_3x3", "seqnn_2_0": "lstm_4", "seqnn_2_1": "rnn_att_2",
    }  # fmt: skip
    counts = count_operations([choices])
    assert counts == {
        "cnn": 4, "sequential": 2, "skip_connections": 1, "pooling": 1, "wide_kernels": 1, "lstm": 1, "attention": 1,
        "deepest": 1,
    }  # fmt: skip
    found = shares(counts)
    assert (found["skip_connections"], found["wide_kernels"], found["lstm"]) == (1 / 6, 1 / 4, 1 / 2)


def test_architectures_agree_on_the_edges_that_both_have() -> None:
    def cell(fold: int, seed: int, **choices: Any) -> FinishedCell:
        return finished(fold, seed, architecture={"choices": choices})

    cells = [
        cell(0, 1, normal_2=[0, 1], normal_2_0="a", normal_2_1="b"),
        cell(0, 2, normal_2=[0, 1], normal_2_0="a", normal_2_1="c"),
        cell(1, 1, normal_2=[0, 2], normal_2_0="a", normal_2_2="b"),
        cell(1, 2, normal_2=[1, 2], normal_2_1="b", normal_2_2="b"),
    ]
    assert agreements(cells) == {
        "other_seed": pytest.approx((0.5 + 1) / 2),
        "other_fold": pytest.approx((1 + 0) / 2),
        "both_other": pytest.approx((1 + 1) / 2),
    }
    assert agreements(cells[:1]) == {"other_seed": None, "other_fold": None, "both_other": None}
