"""Outputs of an ONNX model, its logits or its features, by onnxruntime: `logits.py MODEL.onnx UTTERANCES.safetensors`.

The tensors `NAME.N` are the inputs NAME of utterance N; standard output gets a JSON array for each utterance.
"""

import json
import sys

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
names = [value.name for value in session.get_inputs()]
count = len({name.rsplit(".", 1)[1] for name in tensors})
logits = [session.run(None, {name: tensors[f"{name}.{place}"] for name in names})[0].tolist() for place in range(count)]
print(json.dumps(logits))
