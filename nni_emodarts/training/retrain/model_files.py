"""The files of a trained network."""

import json
from collections.abc import Sequence

import pandas as pd
from safetensors.torch import save

from nni_emodarts.config import InputShape, Shape
from nni_emodarts.data.corpus import FRONT_ENDS, LEARNT, Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.outputs import DIMENSIONS_KEY
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CONFIG,
    CORPUS,
    ENVIRONMENT,
    GRAPH,
    HISTORY,
    NORMALIZATION,
    WEIGHTS,
    RunFolder,
)
from nni_emodarts.training.graph import onnx_graph
from nni_emodarts.training.retrain.designs import Design
from nni_emodarts.training.retrain.fitting import Trained
from nni_emodarts.training.trainer import environment_of

MODEL_FILES = (WEIGHTS, NORMALIZATION, GRAPH)
"""What decides a network's answers, and is kept from damage by digests beside its figures."""


def write_model(folder: RunFolder, task: FoldTask, design: Design, trained: Trained) -> None:
    """Write what is needed to use a network, and what it was made with.

    The design is written as it was searched: `retrain.width` of the configuration beside it says how wide the network
    is, so that whoever retrains from the folder widens it once.
    """
    corpus = task.corpus
    folder.write_json(CORPUS, {**(folder.read_json(CORPUS) if folder.has(CORPUS) else {}), LEARNT: task.learnt})
    folder.write_text(CONFIG, task.config.to_yaml())
    if isinstance(design, Architecture):
        folder.write_json(ARCHITECTURE, design.to_dict())
    folder.write_json(NORMALIZATION, trained.normalizer.to_dict())
    folder.write_csv(HISTORY, marked(pd.DataFrame(trained.history), task.config.tracks))
    folder.write_json(ENVIRONMENT, environment_of(next(trained.model.parameters()).device))
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.model.state_dict().items()}
    rated = {DIMENSIONS_KEY: json.dumps(task.outputs.to_dict())} if task.outputs.dimensions else {}
    folder.write_bytes(WEIGHTS, save(weights, {"labels": "\t".join(corpus.manifest.classes), **rated}))
    # of a pretrained stream the head alone, which hears the levels that it chose
    shapes = {each.name: _shape(each) for each in corpus.streams}
    shape: InputShape = shapes if len(shapes) > 1 else next(iter(shapes.values()))
    encoders = [
        {**facts.provenance(), "levels": _levels(facts.levels, each.places)}
        for each in corpus.streams
        if (facts := each.front_end) is not None
    ]
    metadata = {FRONT_ENDS: json.dumps(encoders, ensure_ascii=False)} if encoders else None
    folder.write_bytes(GRAPH, onnx_graph(trained.model, shape, metadata))


def _shape(stream: Corpus) -> Shape:
    """Of the maps that are read of a stream."""
    return (stream.levels_read, stream.input_shape[1]) if stream.pretrained else stream.input_shape


def _levels(levels: Sequence[int], places: range | None) -> list[int]:
    return list(levels) if places is None else [levels[place] for place in places]
