"""An execution engine that leaves NNI's reporting alone."""

from nni_emodarts.nni_bridge.nas import ExecutableModelSpace, ModelStatus, SequentialExecutionEngine


class InlineEngine(SequentialExecutionEngine):  # type: ignore[misc]
    """Runs a one-shot search in this process.

    NNI's own engine replaces the parameter that the surrounding trial was given by its model, so that from the second
    trial on the final metric is booked under the wrong trial and the experiment hangs. This one only executes.
    """

    def _run_single_model(self, model: ExecutableModelSpace) -> None:
        model.status = ModelStatus.Training
        try:
            model.execute()
        except BaseException:
            model.status = ModelStatus.Failed
            raise
        model.status = ModelStatus.Trained
