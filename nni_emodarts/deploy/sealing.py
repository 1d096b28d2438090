"""An ONNX file that carries its own digest, so that damage is found wherever the file goes."""

from onnx import ModelProto, helper

from nni_emodarts.deploy.onnx_network import DIGEST, PRODUCER
from nni_emodarts.runtime.digests import OPEN_SEAL, seal


def sealed(model: ModelProto) -> bytes:
    """The file of a model, with the digest of all of it in its metadata; the model is marked as this package's."""
    model.producer_name = PRODUCER
    others = {entry.key: entry.value for entry in model.metadata_props if entry.key != DIGEST}
    helper.set_model_props(model, {**others, DIGEST: OPEN_SEAL})
    return seal(bytes(model.SerializeToString()))
