"""Operations without parameters, held against the networks that are built."""

import pytest

from benchmarks.parameter_free import count_parameter_free, expected_parameter_free
from nni_emodarts.architecture import Architecture
from nni_emodarts.config import load_config
from nni_emodarts.space import build_model, random_architecture
from nni_emodarts.space.mixed import SKIP

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
    counts = count_parameter_free([made.choices])
    assert (counts["operations"], counts["skip_connections"]) == (len(edges), len(free))
    assert 0 < len(free) < len(edges), "edges from a reduction cell's inputs have stride 2"


def test_uniform_draws_take_as_many_as_the_space_says() -> None:
    """Of compact's 12 edges 8 hold one of 7 operations, 4 one of 13; 2 + 4/3 of the former have stride 2 on average."""
    expected = expected_parameter_free(COMPACT)
    assert expected["pooling"] == pytest.approx(8 * 2 / 7 / 12, abs=0.01)
    assert expected["skip_connections"] == pytest.approx(((8 - 10 / 3) / 7 + 4 / 13) / 12, abs=0.01)
