"""The live shell: the command line and everything that touches files, clocks and wires."""
