import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_emodarts.config import NONE, SpaceConfig
from nni_emodarts.errors import ArchitectureError, ConfigError
from nni_emodarts.models.architecture import Architecture, candidates, edge_label, node_label, nodes
from nni_emodarts.models.space import EmoDartsSpace, build_model, random_architecture

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


GOOD = random_architecture(SPACE, 4, (1, 40), 0).to_dict()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"space": {"cnn_nodes": 10**9}}, "less than or equal to 16"),
        ({"space": {"cnn_cells": 10**9, "seqnn_cells": 10**9}}, "less than or equal to 64"),
        ({"space": {"cnn_channels": 10**9, "seqnn_width": 10**30}}, "less than or equal to 8192"),
        ({"space": {"cnn_primitives": ["none"] * 1000}}, "at most 64"),
        ({"num_classes": 10**9}, "less than or equal to 1000"),
        ({"input_shape": [10**9, 40]}, "less than or equal to 64"),
        ({"input_shape": [1, 10**9]}, "less than or equal to 4096"),
        ({"id": "a" * 10**6}, "at most 64 characters"),
        ({"choices": {f"k{number}": "a" for number in range(10**5)}}, "more than 10,000 keys and values"),
        ({f"k{number}": [[]] for number in range(10**4)}, "more than 10,000 keys and values"),
        ({"choices": {"normal_2": "a" * 10**6, "b" * 10**6: "c"}}, "normal_2"),
        ({"choices": {"normal_2": [0] * 9000}}, "normal_2: [0, 0, 0, 0, 0, 0, ...] is not allowed"),
    ],
)
def test_sizes_are_bounded_before_anything_is_built(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**GOOD, **change}))
    began = time.process_time()
    with pytest.raises(ArchitectureError) as caught:
        Architecture.load(tmp_path / "a.json")
    assert time.process_time() - began < 5
    assert says in str(caught.value)
    assert len(str(caught.value)) < 5000


def test_an_origin_may_list_many_recordings() -> None:
    origin = {"recordings": [f"{number:016x}" for number in range(100_000)]}
    assert Architecture.from_dict({**GOOD, "origin": origin}).origin == origin


def test_a_file_that_is_none_is_refused_by_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ArchitectureError, match=r"a\.json is a pipe and no file"):
        Architecture.load(tmp_path / "a.json")
    (tmp_path / "b.json").write_text(json.dumps(GOOD).replace('"id"', '"num_classes": 7, "id"'))
    with pytest.raises(ArchitectureError, match=r"names 'num_classes' twice"):
        Architecture.load(tmp_path / "b.json")


def test_a_network_that_would_fill_the_memory_is_not_built() -> None:
    space = SpaceConfig(cnn_channels=2048, seqnn_width=4096)
    with pytest.raises(ConfigError, match=r"this network would have [\d,]+ parameters, more than 200,000,000"):
        build_model(random_architecture(space, 4, (1, 40), 0))
    with pytest.raises(ConfigError, match=r"the candidates of this space would have [\d,]+ parameters, more than"):
        EmoDartsSpace(4, (1, 40), **space.identity())
