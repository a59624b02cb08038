"""The offline shop: data, networks, training, evaluation and export to ONNX.

Importing this package imports nothing heavy; torch comes in with the modules that need it, and with
the extra `train`.
"""
