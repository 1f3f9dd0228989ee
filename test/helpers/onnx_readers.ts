/** Programs of others that read ONNX files: each prints JSON. */

/** `python -c …`: the logits of float32 images in a file by ONNX Runtime or OpenVINO, for each file in turn. */
export const pythonRuntimes = {
  onnxruntime: `
import json, sys
import numpy, onnxruntime
images = numpy.fromfile(sys.argv[1], numpy.float32).reshape(-1, 3, 32, 32)
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
print(json.dumps([onnxruntime.InferenceSession(path, options, ['CPUExecutionProvider']).run(['logits'], {'images': images})[0].ravel().tolist()
                  for path in sys.argv[2:]]))
`,
  // By itself OpenVINO may take bfloat16 on processors that have it.
  openvino: `
import json, sys
import numpy, openvino
images = numpy.fromfile(sys.argv[1], numpy.float32).reshape(-1, 3, 32, 32)
core = openvino.Core()
compiled = [core.compile_model(path, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'}) for path in sys.argv[2:]]
print(json.dumps([model({'images': images})['logits'].ravel().tolist() for model in compiled]))
`,
};

/** `python -c …`: the folder of Netron's parsers. */
export const netronFolder = `
import json, os, netron
print(json.dumps(os.path.dirname(netron.__file__)))
`;

/** `node --input-type=module -e … FOLDER FILE…`: what Netron's parser finds in each file, as its view would draw it. */
export const netronParser = `
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
const [, folder, ...paths] = process.argv;
const load = (name) => import(pathToFileURL(folder + '/' + name + '.js'));
const [view, base] = [await load('view'), await load('base')];
const asset = async (name) => readFileSync(folder + '/' + name, 'utf8');
const error = (fault) => { throw fault; };
const host = { environment: () => null, event: () => {}, exception: error, require: load, asset, request: asset };
const typed = (list) => list.map(({ name, value }) => [name, String(value[0].type)]);
const found = [];
for (const identifier of paths) {
  const stream = new base.BinaryStream(readFileSync(identifier));
  const context = { identifier, stream, entries: new Map(), host, require: load, asset, request: asset, error };
  const { format, producer, modules } = await new view.ModelFactoryService(host).open(context);
  const [{ inputs, outputs, nodes }] = modules;
  const types = nodes.map(({ type }) => type.name);
  found.push({ format, producer, inputs: typed(inputs), outputs: typed(outputs), types });
}
console.log(JSON.stringify(found));
`;
