"""Other libraries at the same operations, each in a process and environment of its own.

What runs in a peer's process (`worker` and the modules it loads) needs nothing but the
standard library and that peer; the others run where the benchmarks do.
"""
