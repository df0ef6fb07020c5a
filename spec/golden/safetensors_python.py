"""The outside judge of laterna's safetensors files: Python's own package (pip install safetensors numpy).

    safetensors_python.py make FOLDER     writes the files that spec/io/safetensors_spec.lua reads (safetensors_*.safetensors)
    safetensors_python.py check FILE      reads what the same spec's `sample` wrote, and compares; exits 0 when all is equal
"""
import sys
import numpy as np
from safetensors.numpy import load_file, save_file
from safetensors import safe_open

NAN, INF = float("nan"), float("inf")


def make(folder):
    save_file(
        {
            "f32": np.arange(6, dtype="f4").reshape(2, 3) / 4,
            "f16": np.array([0, -0.0, 1, -1.5, 65504, 2.0**-24, 2.0**-14, 1023 * 2.0**-24, INF, -INF, NAN], "f2"),
            "f64": np.array([[0.1], [-1e-300], [2.0**127]], "f8"),
            "u8": np.arange(256, dtype="u1").reshape(16, 16),
            "bool": np.array([True, False, True]),
            "i32": np.array([-(2**31), 2**31 - 1, 7], "i4"),
            "i64": np.array([-(2**31), 2**31 - 1, -1], "i8"),
            "scalar": np.array(3.5, "f4"),
            "empty": np.zeros((0, 4), "f4"),
            "blocks.0.größe \"x\"\\/": np.ones((1, 2, 1, 2), "f4"),
        },
        folder + "/safetensors_types.safetensors",
        {"framework": "numpy", "note": 'tab\t, quote ", newline\n, ü, \U0001f3a8', "": ""},
    )
    save_file({}, folder + "/safetensors_empty.safetensors")


def check(path):
    want = {
        "weight": np.arange(6, dtype="f4").reshape(2, 3) / 4,
        "picture": np.arange(5, dtype="u1").reshape(1, 5),
        "index": np.array([-1, 2**31 - 1], "i4"),
        "scalar": np.array(3.5, "f4"),
        "empty": np.zeros((0, 4), "f4"),
        "größe \"x\"\\/\n": np.array([NAN, -INF, -0.0], "f4"),
    }
    got = load_file(path)
    assert sorted(got) == sorted(want), sorted(got)
    for name in want:
        assert got[name].dtype == want[name].dtype and got[name].shape == want[name].shape, name
        assert got[name].tobytes() == want[name].tobytes() or np.array_equal(got[name], want[name], equal_nan=True), name
    with safe_open(path, "numpy") as f:
        assert f.metadata() == {"step": "12", "note": "ü \" \\ \n \x01"}, f.metadata()


{"make": make, "check": check}[sys.argv[1]](sys.argv[2])
print("ok")
