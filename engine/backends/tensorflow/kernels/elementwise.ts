/** Operators that go element by element, with NumPy's broadcasting. */
import { deviceType } from '../arrays';
import type { Tensor, Tf } from '../package';
import { commonOrder, Value } from '../value';
import { float, type Call, type Kernel, type Kernels } from './kernel';

/** Applies `make` to the values of all inputs, in an order of axes that suits them. */
function elementwise(make: (call: Call, ...tensors: Tensor[]) => Tensor): Kernel {
  return (call) => {
    const values = call.inputs.filter((value) => value !== undefined);
    const order = commonOrder(values);
    const tensors = values.map((value) => (value.rank === order.length ? value.inOrder(order) : value.plain));
    return new Value(call.tf, make(call, ...tensors), order);
  };
}

function unary(make: (tf: Tf, x: Tensor) => Tensor): Kernel {
  return elementwise(({ tf }, x) => make(tf, x));
}

function binary(make: (tf: Tf, a: Tensor, b: Tensor) => Tensor): Kernel {
  return elementwise(({ tf }, a, b) => make(tf, a, b));
}

/** Element-wise operators, by ONNX's names. */
export const elementwiseKernels: Kernels = {
  Abs: unary((tf, x) => tf.abs(x)),
  Cos: unary((tf, x) => tf.cos(x)),
  Erf: unary((tf, x) => tf.erf(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Identity: unary((_, x) => x.clone()),
  Log: unary((tf, x) => tf.log(x)),
  Neg: unary((tf, x) => tf.neg(x)),
  Not: unary((tf, x) => tf.logicalNot(x)),
  Reciprocal: unary((tf, x) => tf.reciprocal(x)),
  Relu: unary((tf, x) => tf.relu(x)),
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Sign: unary((tf, x) => tf.sign(x)),
  Sin: unary((tf, x) => tf.sin(x)),
  Softplus: unary((tf, x) => tf.softplus(x)),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Tanh: unary((tf, x) => tf.tanh(x)),
  Add: binary((tf, a, b) => tf.add(a, b)),
  Sum: elementwise(({ tf }, ...terms) => tf.addN(terms)),
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Div: binary((tf, a, b) => tf.div(a, b)),
  Pow: binary((tf, a, b) => tf.pow(a, b)),
  Min: binary((tf, a, b) => tf.minimum(a, b)),
  Max: binary((tf, a, b) => tf.maximum(a, b)),
  Equal: binary((tf, a, b) => tf.equal(a, b)),
  Greater: binary((tf, a, b) => tf.greater(a, b)),
  Less: binary((tf, a, b) => tf.less(a, b)),
  And: binary((tf, a, b) => tf.logicalAnd(a, b)),
  Clip: elementwise(({ tf }, x, low, high) => tf.minimum(tf.maximum(x, low), high)),
  Where: elementwise(({ tf }, condition, a, b) => tf.where(condition, a, b)),
  LeakyRelu: elementwise(({ tf, node }, x) => tf.leakyRelu(x, float(node, 'alpha', 0.01))),
  Cast: elementwise(({ tf, node }, x) => tf.cast(x, deviceType(node.outputs[0]!.dtype))),
};
