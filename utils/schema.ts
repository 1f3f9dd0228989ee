/** Validates a JSON value against a JSON schema (ajv), with one line of plain English per mistake. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { currentName, type Aliases } from './aliases';
import { show } from './json';
import { nearest } from './nearest';

/**
 * A JSON schema. `description` states in words what is accepted and replaces the generated wording; `aliases` are old names of
 * what an `enum` lists, by which a mistyped one is recognized, too.
 */
export type Schema = Record<string, unknown>;

const ajv = new Ajv({ useDefaults: true, allErrors: true, strict: true, verbose: true });
ajv.addVocabulary(['aliases']);
const compiled = new Map<string, ValidateFunction>();

/** Maximum number of mistakes that are listed. */
const MOST_LINES = 20;

/**
 * Fills the schema's defaults into `value`, in place, and returns its mistakes: one line each, or the first ones and
 * the number of the others.
 */
export function mistakes(schema: Schema, value: unknown): string[] {
  const text = JSON.stringify(schema);
  const validate = compiled.get(text) ?? ajv.compile(schema);
  compiled.set(text, validate);
  if (validate(value)) return [];
  // What is wrong with the name of a key is told by itself too.
  const errors = validate.errors!.filter(({ keyword }) => keyword !== 'propertyNames');
  const lines = errors.slice(0, MOST_LINES).map(describe);
  const more = errors.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

/** `; did you mean "…"?` if a known name, or an old one of it, is similar, otherwise ''. */
function suggestion(word: unknown, names: readonly string[], prefix = '', aliases: Aliases = {}): string {
  const name = typeof word === 'string' ? nearest(word, [...names, ...Object.keys(aliases)]) : undefined;
  return name === undefined ? '' : `; did you mean ${show(prefix + currentName(name, aliases))}?`;
}

const typeNames: Record<string, string> = {
  array: 'an array',
  boolean: 'true or false',
  integer: 'an integer',
  number: 'a number',
  object: 'an object',
  string: 'a string',
};

function describe({ keyword, instancePath, params, data, parentSchema, message }: ErrorObject): string {
  const schema = parentSchema as Schema;
  const path = instancePath.slice(1).replaceAll('/', '.');
  const prefix = path === '' ? '' : `${path}.`;
  if (keyword === 'required') return `${show(prefix + String(params.missingProperty))} is missing`;
  if (keyword === 'additionalProperties') {
    const key = String(params.additionalProperty);
    const known = Object.keys(schema.properties as Schema);
    return `${show(prefix + key)} is not a key${suggestion(key, known, prefix)}`;
  }
  const names = keyword === 'enum' ? (schema.enum as string[]) : [];
  let accepted = message;
  if (keyword === 'type') accepted = `must be ${typeNames[String(schema.type)]}`;
  if (keyword === 'enum') accepted = `must be one of ${names.map(show).join(', ')}`;
  if (typeof schema.description === 'string') accepted = `must be ${schema.description}`;
  return `${path === '' ? '' : `${show(path)} `}${accepted}, got ${show(data)}${suggestion(data, names, '', schema.aliases as Aliases | undefined)}`;
}
