"""Outputs of an ONNX model that takes a batch, by onnxruntime: `batch.py MODEL.onnx UTTERANCES.safetensors`.

The tensors `NAME.N` are the inputs NAME of utterance N, put together with padding that is no number of theirs; standard output gets a
JSON array of the first output.
"""

import json
import sys

import numpy
import onnxruntime
from safetensors.numpy import load_file

try:
    import onnx
except ImportError:
    print("onnx is not installed: the model's form is not checked", file=sys.stderr)
else:
    onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
tensors = load_file(sys.argv[2])
count = len({name.rsplit(".", 1)[1] for name in tensors})
inputs = {}
for value in session.get_inputs():
    if value.name.endswith("_length"):
        continue
    own = [tensors[f"{value.name}.{place}"] for place in range(count)]
    longest = max(len(rows) for rows in own) + 3
    padded = numpy.full((count, longest, *own[0].shape[1:]), 7, own[0].dtype)
    for place, rows in enumerate(own):
        padded[place, : len(rows)] = rows
    inputs[value.name] = padded
    inputs[f"{value.name}_length"] = numpy.array([len(rows) for rows in own], numpy.int64)
print(json.dumps(session.run(None, inputs)[0].tolist()))
