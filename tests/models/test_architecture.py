import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.config import NONE, SpaceConfig
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.architecture import Architecture, candidates, edge_label, node_label, nodes
from nni_emodarts.models.space import random_architecture

SPACE = SpaceConfig(cnn_cells=2, cnn_nodes=2, reduction_cells=(1,), seqnn_nodes=2, seqnn_scope="lstm_att")


@st.composite
def choices(draw: st.DrawFn, space: SpaceConfig = SPACE) -> dict[str, Any]:
    """Choices for every label of a space, as a strategy exports them."""
    made: dict[str, Any] = {}
    for kind, node in nodes(space):
        made[node_label(kind, node)] = draw(st.permutations(range(node)))[:2]
        for state in range(node):
            operations = [name for name in candidates(space, kind) if name != NONE]
            made[edge_label(kind, node, state)] = draw(st.sampled_from(operations))
    return made


def architecture(made: dict[str, Any], **kwargs: Any) -> Architecture:
    return Architecture.from_choices(SPACE, made, 4, (1, 40), **kwargs)


def test_labels_are_public() -> None:
    labels = {node_label(kind, node) for kind, node in nodes(SPACE)}
    assert labels == {"normal_2", "normal_3", "reduce_2", "reduce_3", "seqnn_2", "seqnn_3"}
    assert edge_label("normal", 2, 0) == "normal_2_0"


@given(choices())
def test_round_trip(made: dict[str, Any]) -> None:
    there = architecture(made, origin={"strategy": "darts", "speakers": ["03"]})
    back = Architecture.from_dict(json.loads(json.dumps(there.to_dict())))
    assert back == there
    assert back.id == there.id


@given(choices(), st.data())
def test_id_is_the_networks(made: dict[str, Any], data: st.DataObject) -> None:
    """Edges that no node takes, the order of inputs, classes and origin leave the id; a used operation changes it."""
    there = architecture(made)
    other = dict(made)
    for kind, node in nodes(SPACE):
        label = node_label(kind, node)
        other[label] = list(reversed(made[label]))
        for state in set(range(node)) - set(made[label]):
            other[edge_label(kind, node, state)] = "skip_connect"
    same = Architecture.from_choices(SPACE, other, 7, (2, 64), {"seed": 3})
    assert same.id == there.id
    edge = data.draw(st.sampled_from([label for label, choice in there.choices.items() if isinstance(choice, str)]))
    changed = {**made, edge: "skip_connect" if made[edge] != "skip_connect" else _another(edge)}
    assert architecture(changed).id != there.id


def _another(edge: str) -> str:
    return "lstm_att_1" if edge.startswith("seqnn") else "sep_conv_3x3"


@given(choices())
def test_a_tuners_text_is_a_pair(made: dict[str, Any]) -> None:
    texts = {key: "+".join(map(str, value)) if isinstance(value, list) else value for key, value in made.items()}
    assert architecture(texts) == architecture(made)


@pytest.mark.parametrize(
    ("label", "choice", "words"),
    [
        ("normal_3", [0, 0], ["normal_3", "0 to 2"]),
        ("normal_3", [0, 3], ["normal_3", "[0, 3]"]),
        ("normal_3", "0+x", ["normal_3"]),
        ("normal_3", [0.0, 1.0], ["normal_3"]),
        ("normal_2_0", "none", ["normal_2_0", "none", "sep_conv_3x3"]),
        ("seqnn_2_1", "rnn_4", ["seqnn_2_1", "rnn_4", "lstm_att_2"]),
        ("seqnn_2_7", "lstm_att_1", ["seqnn_2_7", "did you mean"]),
    ],
)
def test_choices_of_another_space(label: str, choice: Any, words: list[str]) -> None:
    made = {node_label(kind, node): [0, 1] for kind, node in nodes(SPACE)}
    made |= {edge_label(kind, node, state): "skip_connect" for kind, node in nodes(SPACE) for state in range(node)}
    architecture(made)
    with pytest.raises(ArchitectureError) as caught:
        architecture(made | {label: choice})
    for word in words:
        assert word in str(caught.value)


def test_missing_choices_are_named() -> None:
    with pytest.raises(ArchitectureError, match=r"normal_2: missing.*normal_3: missing"):
        architecture({})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(JSON, choices(), st.sampled_from(["format", "id", "space", "choices", "num_classes", "input_shape", "origin"]))
def test_foreign_json_is_refused_and_never_crashes(junk: Any, made: dict[str, Any], key: str) -> None:
    good = architecture(made).to_dict()
    for data in (junk, {**good, key: junk}):
        try:
            Architecture.from_dict(data)
        except ArchitectureError:
            continue
        assert key in ("origin", "num_classes", "input_shape", "space")


def test_edited_by_hand(tmp_path: Path) -> None:
    made = {node_label(kind, node): [0, 1] for kind, node in nodes(SPACE)}
    made |= {edge_label(kind, node, state): "skip_connect" for kind, node in nodes(SPACE) for state in (0, 1)}
    data = architecture(made).to_dict()
    data["choices"]["normal_2_0"] = "sep_conv_3x3"
    file = tmp_path / "architecture.json"
    file.write_text(json.dumps(data))
    with pytest.raises(ArchitectureError, match="edited by hand"):
        Architecture.load(file)
    with pytest.raises(ArchitectureError, match=r"absent\.json"):
        Architecture.load(tmp_path / "absent.json")
    file.write_text("[" * 100000)
    with pytest.raises(ArchitectureError, match="no JSON"):
        Architecture.load(file)


def test_architectures_keep_their_ids_when_the_space_learns_something_new() -> None:
    """An id that was written before the option came still stands for the same network."""
    made = random_architecture(SPACE, 4, (1, 40), 0)
    assert made.id == "2d67dcce70c7"
    assert "seqnn_normalization" not in made.to_dict()["space"]
    normalized = random_architecture(SPACE.model_copy(update={"seqnn_normalization": True}), 4, (1, 40), 0)
    assert normalized.id != made.id
    assert Architecture.from_dict(normalized.to_dict()) == normalized
