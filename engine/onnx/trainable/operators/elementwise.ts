/** Operators of ONNX that go element by element. */
import * as ops from '../../../ops/index';
import { broadcastShape, type Tensor } from '../../../tensor';
import type { Call, Value } from '../call';
import type { Operators } from './operator';

const unary =
  (build: (x: Tensor) => Tensor) =>
  (call: Call): Tensor =>
    build(call.tensor(0));

const binary =
  (build: (a: Tensor, b: Tensor) => Tensor) =>
  (call: Call): Tensor =>
    call.inputs.slice(1).reduce<Tensor>((a, _, i) => build(a, call.tensor(i + 1)), call.tensor(0));

/** A comparison, which no gradient flows through. */
const comparison =
  (opType: 'Equal' | 'Greater' | 'Less' | 'And' | 'Or', isNegated = false) =>
  (call: Call): Tensor => {
    const [a, b] = [call.tensor(0), call.tensor(1)];
    const shape = broadcastShape(opType, a.shape, b.shape);
    const holds = call.graph.emit(opType, [a, b], shape, { dtype: 'bool' });
    return isNegated ? call.graph.emit('Not', [holds], shape) : holds;
  };

/** By their names in ONNX. */
export const elementwiseOperators: Operators = {
  Identity: (call) => call.value(0),
  Add: binary(ops.add),
  Sub: binary(ops.sub),
  Mul: binary(ops.mul),
  Div: binary(ops.div),
  Sum: binary(ops.add),
  Mean: (call) => ops.mul(binary(ops.add)(call), 1 / call.inputs.length),
  Max: binary(ops.maximum),
  Min: binary(ops.minimum),
  Pow: (call) => power(call),
  Neg: unary(ops.neg),
  Abs: unary(ops.abs),
  Exp: unary(ops.exp),
  Log: unary(ops.log),
  Sqrt: unary(ops.sqrt),
  Reciprocal: unary(ops.reciprocal),
  Sin: unary(ops.sin),
  Cos: unary(ops.cos),
  Erf: unary(ops.erf),
  Relu: unary(ops.relu),
  Sigmoid: unary(ops.sigmoid),
  Tanh: unary(ops.tanh),
  Softplus: unary(ops.softplus),
  Mish: unary(ops.mish),
  Swish: (call) => {
    const alpha = call.float('alpha', 1);
    return alpha === 1
      ? ops.silu(call.tensor(0))
      : ops.mul(call.tensor(0), ops.sigmoid(ops.mul(call.tensor(0), alpha)));
  },
  Gelu: (call) => (call.text('approximate', 'none') === 'tanh' ? ops.geluTanh : ops.gelu)(call.tensor(0)),
  HardSwish: unary(ops.hardSwish),
  HardSigmoid: (call) => ops.hardSigmoid(call.tensor(0), call.float('alpha', 0.2), call.float('beta', 0.5)),
  LeakyRelu: (call) => ops.leakyRelu(call.tensor(0), call.float('alpha', 0.01)),
  Elu: (call) => ops.elu(call.tensor(0), { alpha: call.float('alpha', 1) }),
  Selu: (call) =>
    ops.elu(call.tensor(0), {
      alpha: call.float('alpha', 1.67326319217681884765625),
      gamma: call.float('gamma', 1.05070102214813232421875),
    }),
  PRelu: (call) => ops.prelu(call.tensor(0), call.tensor(1)),
  Clip: (call) => clip(call),
  Where: (call) => ops.where(call.tensor(0), call.tensor(1), call.tensor(2)),
  Equal: comparison('Equal'),
  Greater: comparison('Greater'),
  Less: comparison('Less'),
  GreaterOrEqual: comparison('Less', true),
  LessOrEqual: comparison('Greater', true),
  And: comparison('And'),
  Or: comparison('Or'),
  Not: (call) => call.graph.emit('Not', [call.tensor(0)], call.shape(0)),
  Cast: (call) => cast(call),
  CastLike: (call) => call.value(0),
  Dropout: (call) => dropout(call),
};

function power(call: Call): Tensor {
  const x = call.tensor(0);
  switch (call.scalar(1)) {
    case 1:
      return x;
    case 2:
      return ops.square(x);
    case 3:
      return ops.mul(ops.square(x), x);
    case 0.5:
      return ops.sqrt(x);
    case -0.5:
      return ops.reciprocal(ops.sqrt(x));
    case -1:
      return ops.reciprocal(x);
    default:
      return ops.pow(x, call.tensor(1));
  }
}

/** ReLU6 has no gradient at its bounds, other clamps have. */
function clip(call: Call): Tensor {
  const bound = (i: number, name: string, absent: number) => {
    if (call.has(i) && call.scalar(i) === undefined) call.fail(`has a bound that is not known`);
    return call.scalar(i) ?? call.float(name, absent);
  };
  const [low, high] = [bound(1, 'min', -Infinity), bound(2, 'max', Infinity)];
  const x = call.tensor(0);
  if (low === 0 && high === 6) return ops.relu6(x);
  return low === 0 && high === Infinity ? ops.relu(x) : ops.clip(x, low, high);
}

/** All floating-point types are float32 here. */
function cast(call: Call): Value {
  const value = call.value(0);
  const to = call.integer('to', 1);
  const isFloat = [1, 10, 11, 16].includes(to);
  if (!('dtype' in value) || (value.dtype === 'float32' && isFloat)) return value;
  if (!isFloat) return call.fail('converts values that depend on the images to integers');
  return call.graph.emit('Cast', [value], value.shape, { dtype: 'float32', attributes: { to: 1 } });
}

/** Dropout is one where the file was exported in training mode. */
function dropout(call: Call): Value {
  const isRandom = call.scalar(2) === 1;
  const rate = call.scalar(1) ?? call.float('ratio', 0.5);
  if (!isRandom || rate === 0 || !call.around.layers.isTraining) return call.value(0);
  return call.around.layers.dropout(call.node.name || call.node.outputs[0]!, call.tensor(0), rate);
}
