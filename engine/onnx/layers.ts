/** The layers that exporters name: the modules of the network that a node comes from. */

/** Where the dynamo-based exporter of PyTorch writes the path of each module around a node, outermost first. */
const SCOPES = 'pkg.torch.onnx.name_scopes';

/**
 * The path of the module that a node comes from, such as `layer4.2.relu`; undefined if it comes from the network itself, or
 * the exporter does not tell.
 */
export function layerOf(nodeName: string, metadata: ReadonlyMap<string, string>): string | undefined {
  const scopes = metadata.get(SCOPES);
  // The last one is the node's own name; before it, the innermost module has its whole path.
  const path = scopes === undefined ? layerPath(nodeName.split('/').slice(0, -1)) : quotedIn(scopes).at(-2);
  return path === '' ? undefined : path;
}

/** The same path as it may be written: `layer4.2.relu`, or `/layer4/layer4.2/relu` as in the names of nodes. */
export function layerCalled(name: string): string {
  return layerPath(name.split('/'));
}

/** TorchScript's names of modules in a Sequential repeat that of the Sequential: layer4, layer4.2, relu. */
function layerPath(parts: readonly string[]): string {
  let [path, last] = ['', ''];
  for (const part of parts.filter(Boolean)) {
    path = last !== '' && part.startsWith(`${last}.`) ? path + part.slice(last.length) : `${path}${path && '.'}${part}`;
    last = part;
  }
  return path;
}

/** The strings of a list as Python prints it. */
function quotedIn(list: string): string[] {
  return [...list.matchAll(/'([^']*)'/g)].map(([, content]) => content!);
}
