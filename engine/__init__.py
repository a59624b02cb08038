"""The composing core: pure and deterministic.

Numpy only; onnxruntime in `engine.network.runtime` alone. No sockets, threads, wall clock or torch.
Importing this package imports nothing heavy: ask for the module you need.
"""
