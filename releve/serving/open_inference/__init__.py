"""The Open Inference Protocol v2 over HTTP: tensors as JSON or binary, any scenario as a model."""
