"""Models that others trained, brought as ONNX files: what their inputs take, and what their outputs mean."""
