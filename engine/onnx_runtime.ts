/**
 * ONNX Runtime, which all other files import from here. Since 1.29 its builds for Linux and macOS report sessions and
 * models to their vendor, and keep a device id, a database in the user's cache folder and an empty file a process in
 * that for temporary files. This is turned off before the first session for privacy; ORT_DISABLE_TELEMETRY=0 leaves it
 * on.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1';

export { InferenceSession, listSupportedBackends, Tensor as OrtTensor } from 'onnxruntime-node';
