/**
 * Tests tools/docs.ts. The pages and pictures that are made from the code are as it says. The reference in docs/api, which
 * takes longer, is checked by `npm run docs -- --check` in .ci/run.
 */
import { expect } from 'chai';
import { paramsSchema } from '../../model/experiment/params';
import { generatedFiles } from '../../tools/docs';
import { findRooms, roomsPicture, type Room } from '../../tools/rooms';
import { textOf } from '../helpers/pages';

describe('generated pages', () => {
  for (const [path, content] of Object.entries(generatedFiles())) {
    it(`${path} is what the code says`, () => {
      expect(textOf(path), '"npm run docs" writes it again').to.equal(content);
    });
  }

  it('tell of each key of params.json what it means', () => {
    const { properties } = paramsSchema() as { properties: Record<string, { title?: string }> };
    expect(Object.keys(properties)).to.include.members(['alpha', 'teacher', 'seed']);
    for (const [key, { title }] of Object.entries(properties)) {
      expect(title, key).to.match(/^[A-Z`].*\.$/);
      expect(textOf('docs/params.md'), key).to.include(`<a id="${key}"></a>`);
    }
    expect(textOf('docs/params.md'), 'keys that tools/params_doc.ts has in no section').not.to.include('## Others');
  });
});

describe('the picture of the rooms', () => {
  const room = (name: string, ...imports: string[]): Room => ({ name, folders: [], imports });

  it('has the rooms that there are', () => {
    const rooms = findRooms();
    expect(rooms.map(({ name }) => name)).to.include.members(['engine', 'model', 'scripts', 'utils']);
    const model = rooms.find(({ name }) => name === 'model')!;
    expect(model.folders).to.include.members(['nets', 'distillers']);
    expect(model.imports).to.include.members(['engine', 'utils']).and.not.include('search');
  });

  it('has an arrow for each import that no other implies', () => {
    const arrows = (...rooms: Room[]) => roomsPicture(rooms).split('<path d="M').length - 2;
    expect(arrows(room('a', 'b'), room('b'))).to.equal(1);
    expect(arrows(room('a', 'b', 'c'), room('b', 'c'), room('c'))).to.equal(2);
    expect(arrows(room('a', 'c'), room('b', 'c'), room('c'))).to.equal(2);
  });

  it('is refused where rooms import each other in a circle', () => {
    expect(() => roomsPicture([room('a', 'b'), room('b', 'a')])).to.throw('imports in a circle: a, b, a');
  });
});
