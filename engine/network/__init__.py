"""Model files, and running them: the one place that knows onnxruntime."""
