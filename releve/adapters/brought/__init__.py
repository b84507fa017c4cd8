"""ONNX files of any origin: checked, tried in a process of their own, and given inputs and outputs of our own."""
