/**
 * A reader of Python pickles that executes nothing (https://docs.python.org/3/library/pickle.html, Lib/pickletools.py).
 * It supports the opcodes of plain data and the globals that its caller allows; any other global becomes an `Inert`
 * placeholder, which does nothing.
 */
import { FormatError } from '../binary';
import { Cursor } from './cursor';
import { op } from './opcodes';

/** The file is valid, but contains something that is not supported. */
export class Refusal extends Error {}

/** A function that a pickle may call; it must be free of side effects. */
type PickleFunction = (args: readonly unknown[]) => unknown;

/** The globals that pickles may name: "module.name" to a `PickleFunction`, or to any value that is only passed on. */
export type AllowedGlobals = ReadonlyMap<string, unknown>;

/** A placeholder for any other global, or for an object that calling it would create: nothing is imported or called. */
export class Inert {
  /** Items set by key, as on an object of a class derived from dict. */
  items?: Map<unknown, unknown>;
  /** Its attributes, if the pickle sets any. */
  state: unknown;

  /** `global` is "module.name"; `args` are absent for the name itself. */
  constructor(
    readonly global: string,
    readonly args?: readonly unknown[],
  ) {}
}

/** Enough for 25,000 tensors; limits the memory that a malicious file of a few MB can claim to about 400 MB. */
const maxOpcodes = 1_000_000;

/**
 * Reads the pickle that starts at byte `start`. Dicts become Maps, lists and tuples become arrays, integers beyond 2^53
 * become bigints; `persistent` turns a persistent id into a value. `end` is the position after the pickle.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  allowed: AllowedGlobals,
  persistent: (id: unknown) => unknown,
): { value: unknown; end: number } {
  const machine = new Unpickler(bytes, start, allowed, persistent);
  for (let count = 0; count < maxOpcodes; count++) {
    if (machine.step()) return { value: machine.pop(), end: machine.input.position };
  }
  throw new Refusal(`the pickle has more than ${maxOpcodes} opcodes`);
}

class Unpickler {
  readonly input: Cursor;
  private readonly memo = new Map<number, unknown>();
  private readonly suspended: unknown[][] = [];
  private stack: unknown[] = [];

  constructor(
    bytes: Uint8Array,
    start: number,
    private readonly allowed: AllowedGlobals,
    private readonly persistent: (id: unknown) => unknown,
  ) {
    this.input = new Cursor(bytes, start);
  }

  /** Executes one opcode; true after STOP. */
  step(): boolean {
    const opcode = this.input.uint8();
    switch (opcode) {
      case op.PROTO:
        this.input.skip(1);
        break;
      case op.FRAME:
        this.input.skip(8);
        break;
      case op.STOP:
        return true;
      case op.MARK:
        this.suspended.push(this.stack);
        this.stack = [];
        break;

      case op.POP:
        this.pop();
        break;
      case op.POP_MARK:
        this.popToMark();
        break;

      case op.BINPUT:
        this.memo.set(this.input.uint8(), this.top());
        break;
      case op.LONG_BINPUT:
        this.memo.set(this.input.uint32(), this.top());
        break;
      case op.MEMOIZE:
        this.memo.set(this.memo.size, this.top());
        break;
      case op.BINGET:
        this.recall(this.input.uint8());
        break;
      case op.LONG_BINGET:
        this.recall(this.input.uint32());
        break;

      case op.NONE:
        this.stack.push(null);
        break;
      case op.NEWTRUE:
        this.stack.push(true);
        break;
      case op.NEWFALSE:
        this.stack.push(false);
        break;
      case op.BININT:
        this.stack.push(this.input.int32());
        break;
      case op.BININT1:
        this.stack.push(this.input.uint8());
        break;
      case op.BININT2:
        this.stack.push(this.input.uint16());
        break;
      case op.LONG1:
        this.stack.push(this.input.long(this.input.uint8()));
        break;
      case op.LONG4:
        this.stack.push(this.input.long(this.input.uint32()));
        break;
      case op.BINFLOAT:
        this.stack.push(this.input.float64());
        break;
      case op.BINUNICODE:
        this.stack.push(this.input.text(this.input.uint32()));
        break;
      case op.SHORT_BINUNICODE:
        this.stack.push(this.input.text(this.input.uint8()));
        break;
      case op.BINUNICODE8:
        this.stack.push(this.input.text(this.input.length64()));
        break;
      case op.BINSTRING:
        this.stack.push(this.input.latin1(this.input.uint32()));
        break;
      case op.SHORT_BINSTRING:
        this.stack.push(this.input.latin1(this.input.uint8()));
        break;
      case op.BINBYTES:
        this.stack.push(this.input.slice(this.input.uint32()));
        break;
      case op.SHORT_BINBYTES:
        this.stack.push(this.input.slice(this.input.uint8()));
        break;
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        this.stack.push(this.input.slice(this.input.length64()));
        break;

      case op.EMPTY_TUPLE:
      case op.EMPTY_LIST:
        this.stack.push([]);
        break;
      case op.TUPLE1:
      case op.TUPLE2:
      case op.TUPLE3:
        this.tuple(opcode - op.TUPLE1 + 1);
        break;
      case op.TUPLE: {
        const items = this.popToMark();
        this.stack.push(items);
        break;
      }
      case op.APPEND:
        this.append([this.pop()]);
        break;
      case op.APPENDS:
        this.append(this.popToMark());
        break;
      case op.EMPTY_DICT:
        this.stack.push(new Map());
        break;
      case op.SETITEM: {
        const value = this.pop();
        this.setItems([this.pop(), value]);
        break;
      }
      case op.SETITEMS:
        this.setItems(this.popToMark());
        break;

      case op.EMPTY_SET:
        this.stack.push(new Set());
        break;
      case op.ADDITEMS: {
        const items = this.popToMark();
        this.addItems(items);
        break;
      }
      case op.FROZENSET: {
        const items = this.popToMark();
        this.stack.push(new Set(items));
        break;
      }

      case op.GLOBAL: {
        const module = this.input.line();
        this.global(module, this.input.line());
        break;
      }
      case op.STACK_GLOBAL: {
        const name = this.pop();
        this.global(this.pop(), name);
        break;
      }
      case op.REDUCE:
      case op.NEWOBJ: {
        const args = this.pop();
        this.call(this.pop(), args);
        break;
      }
      case op.NEWOBJ_EX: {
        this.pop(); // arguments by name
        const args = this.pop();
        this.call(this.pop(), args);
        break;
      }
      case op.BUILD: {
        // sets attributes, which plain data do not have
        const state = this.pop();
        const object = this.top();
        if (object instanceof Inert) object.state = state;
        break;
      }
      case op.BINPERSID:
        this.stack.push(this.persistent(this.pop()));
        break;

      default: {
        const code = `0x${opcode.toString(16).padStart(2, '0')}`;
        throw new Refusal(`the pickle has opcode ${code}, which torch.save does not write`);
      }
    }
    return false;
  }

  pop(): unknown {
    this.top();
    return this.stack.pop();
  }

  private top(): unknown {
    if (this.stack.length === 0) throw new FormatError('the pickle takes a value from an empty stack');
    return this.stack.at(-1);
  }

  private popToMark(): unknown[] {
    const items = this.stack;
    const outer = this.suspended.pop();
    if (!outer) throw new FormatError('the pickle returns to a mark that does not exist');
    this.stack = outer;
    return items;
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw new FormatError('the pickle recalls a value that it has not stored');
    this.stack.push(this.memo.get(index));
  }

  private tuple(length: number): void {
    if (this.stack.length < length) throw new FormatError('the pickle takes a value from an empty stack');
    this.stack.push(this.stack.splice(-length));
  }

  private append(items: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Inert) return;
    if (!Array.isArray(list)) throw new FormatError('the pickle appends to something that is not a list');
    for (const item of items) list.push(item);
  }

  private addItems(items: readonly unknown[]): void {
    const set = this.top();
    if (set instanceof Inert) return;
    if (!(set instanceof Set)) throw new FormatError('the pickle adds to something that is not a set');
    for (const item of items) set.add(item);
  }

  private setItems(items: readonly unknown[]): void {
    const object = this.top();
    const dict = object instanceof Inert ? (object.items ??= new Map()) : object;
    if (!(dict instanceof Map) || items.length % 2 !== 0)
      throw new FormatError('the pickle sets items of something that is not a dict');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  private global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw new FormatError('the pickle requests a global without a name');
    const qualified = `${module}.${name}`;
    this.stack.push(this.allowed.has(qualified) ? this.allowed.get(qualified) : new Inert(qualified));
  }

  private call(callee: unknown, args: unknown): void {
    if (!Array.isArray(args)) throw new FormatError('the pickle calls something that is not a function');
    if (callee instanceof Inert) this.stack.push(new Inert(callee.global, args as unknown[]));
    else if (typeof callee === 'function') this.stack.push((callee as PickleFunction)(args as unknown[]));
    else throw new FormatError('the pickle calls something that is not a function');
  }
}
