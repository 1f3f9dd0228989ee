/**
 * The rooms of the project and who imports whom, as the import statements have it: `npm run rooms` draws
 * docs/pictures/rooms.svg.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { preProcessFile } from 'typescript';

const root = join(__dirname, '..');
const SCRIPTS = 'scripts';
/** Folders that are no part of the program. */
const BESIDE = ['bench', 'dist', 'docs', 'examples', 'experiments', 'findings', 'node_modules', 'test', 'tools'];

export interface Room {
  readonly name: string;
  /** The folders in it. */
  readonly folders: readonly string[];
  /** The other rooms whose files its files import. */
  readonly imports: readonly string[];
}

/** The rooms, by name: folders of TypeScript at the top, and the scripts beside them. */
export function findRooms(): Room[] {
  const entries = readdirSync(root, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  const isScript = (name: string) => name.endsWith('.ts');
  const scripts = entries.filter((entry) => entry.isFile() && isScript(entry.name)).map(({ name }) => name);
  const rooms = entries
    .filter((entry) => entry.isDirectory() && !BESIDE.includes(entry.name))
    .map(({ name }) => ({ name, files: filesOf(name) }))
    .filter(({ files }) => files.length > 0);
  return [{ name: SCRIPTS, files: scripts }, ...rooms]
    .map(({ name, files }) => {
      const folders = files.map((file) => file.split(sep)).flatMap(([, folder, inside]) => (inside ? [folder!] : []));
      const imports = files.flatMap(importsOf).filter((other) => other !== name);
      return { name, folders: [...new Set(folders)].sort(), imports: [...new Set(imports)].sort() };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function filesOf(room: string): string[] {
  const names = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => join(room, name));
}

/** The rooms that a file imports from. */
function importsOf(file: string): string[] {
  const { importedFiles } = preProcessFile(readFileSync(join(root, file), 'utf8'), true, true);
  const own = importedFiles.map(({ fileName }) => fileName).filter((target) => target.startsWith('.'));
  return own.flatMap((target) => {
    const [room, ...path] = relative(root, join(root, dirname(file), target)).split(sep);
    if (path.length > 0) return [room!];
    // Such as package.json, or one script that imports another.
    return room!.includes('.') ? [] : [SCRIPTS];
  });
}

/** How far a room is from those that import nobody. Throws where rooms import each other in a circle. */
function height(room: Room, rooms: readonly Room[], path: readonly string[] = []): number {
  if (path.includes(room.name)) throw new Error(`imports in a circle: ${[...path, room.name].join(', ')}`);
  const below = rooms.filter(({ name }) => room.imports.includes(name));
  return Math.max(-1, ...below.map((other) => height(other, rooms, [...path, room.name]))) + 1;
}

/** The imports that are not implied by others: those that no imported room imports, itself or by others still. */
function directImports(room: Room, rooms: readonly Room[]): string[] {
  const reaches = (from: string): string[] =>
    rooms.find(({ name }) => name === from)!.imports.flatMap((next) => [next, ...reaches(next)]);
  return room.imports.filter((name) => !room.imports.some((other) => reaches(other).includes(name)));
}

const WIDTH = 760;
const ROW = 116;
const BOX_WIDTH = 226;
const LETTERS_OF_A_LINE = 36;

/** The picture of rooms, as SVG: each above those that it imports. */
export function roomsPicture(rooms: readonly Room[]): string {
  const heights = new Map(rooms.map((room) => [room.name, height(room, rooms)]));
  const top = Math.max(...heights.values());
  const places = new Map<string, { x: number; y: number; lines: string[]; boxHeight: number }>();
  for (let level = top; level >= 0; level--) {
    const row = rooms.filter(({ name }) => heights.get(name) === level);
    row.forEach(({ name, folders }, i) => {
      const lines = wrapped(folders);
      const [x, y] = [(WIDTH * (i + 0.5)) / row.length, 20 + (top - level) * ROW];
      places.set(name, { x, y, lines, boxHeight: 32 + 15 * lines.length });
    });
  }
  const arrows = rooms.flatMap((room) => {
    const from = places.get(room.name)!;
    return directImports(room, rooms).map((name) => {
      const to = places.get(name)!;
      const [start, end] = [from.y + from.boxHeight, to.y - 2];
      return `<path d="M${from.x} ${start}C${from.x} ${start + 26} ${to.x} ${end - 26} ${to.x} ${end}" fill="none" stroke="#57606a" stroke-width="1.5" marker-end="url(#head)"/>`;
    });
  });
  const boxes = rooms.map(({ name }) => {
    const { x, y, lines, boxHeight } = places.get(name)!;
    const texts = lines.map(
      (line, i) => `<text x="${x}" y="${y + 36 + 15 * i}" font-size="11" fill="#57606a">${line}</text>`,
    );
    return `<rect x="${x - BOX_WIDTH / 2}" y="${y}" width="${BOX_WIDTH}" height="${boxHeight}" rx="6" fill="#eef4fb" stroke="#0b62b0"/>
<text x="${x}" y="${y + 20}" font-weight="bold" fill="#24292f">${name === SCRIPTS ? 'train.ts and the other scripts' : `${name}/`}</text>
${texts.join('\n')}`;
  });
  const total = Math.max(...[...places.values()].map(({ y, boxHeight }) => y + boxHeight)) + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${total}" width="${WIDTH}" height="${total}" font-family="system-ui, sans-serif" font-size="13" text-anchor="middle">
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" fill="#57606a"/></marker></defs>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${total - 1}" rx="8" fill="#fff" stroke="#d0d7de"/>
${[...arrows, ...boxes].join('\n')}
</svg>
`;
}

/** Names in lines of about one length. */
function wrapped(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    const longer = last === undefined ? name : `${last} · ${name}`;
    if (last !== undefined && longer.length <= LETTERS_OF_A_LINE) lines[lines.length - 1] = longer;
    else lines.push(name);
  }
  return lines;
}

if (require.main === module) writeFileSync(join(root, 'docs', 'pictures', 'rooms.svg'), roomsPicture(findRooms()));
