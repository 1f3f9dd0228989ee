import { expect } from 'chai';
import fc from 'fast-check';
import { matches, unmatched } from '../../utils/glob';

describe('matches', () => {
  it('takes a name, or its beginning up to a dot', () => {
    for (const pattern of ['fc', 'fc.weight', 'f?', 'f*', '*', '*.weight', '*weight', 'fc.*', 'f*t', '*c*e*t', '**']) {
      expect(matches(pattern, 'fc.weight'), pattern).to.equal(true);
    }
    for (const pattern of [
      'f',
      'c',
      'weight',
      'fc.',
      'fc.w',
      'fc.?',
      'fc.weights',
      '',
      '?fc',
      'fc.weight.*',
      '*.bias',
    ]) {
      expect(matches(pattern, 'fc.weight'), pattern).to.equal(false);
    }
    expect(matches('conv1', 'layer1.0.conv1.weight')).to.equal(false);
    expect(matches('layer*', 'layer1.0.conv1.weight')).to.equal(true);
    expect(matches('*.conv1', 'layer1.0.conv1.weight')).to.equal(true);
    expect(matches('layer1', 'layer10.weight')).to.equal(false);
  });

  it('has no other signs than * and ?', () => {
    for (const pattern of ['.', '[a-z]', '(a|b)', 'a+', '^a$', '\\w', '{a,b}', '!b']) {
      expect(matches(pattern, 'a'), pattern).to.equal(false);
      expect(matches(pattern, pattern), pattern).to.equal(true);
    }
  });

  it('agrees with its definition by recursion', () => {
    const whole = (pattern: string, name: string): boolean => {
      if (pattern === '') return name === '';
      const rest = pattern.slice(1);
      if (pattern[0] === '*') return whole(rest, name) || (name !== '' && whole(pattern, name.slice(1)));
      return name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && whole(rest, name.slice(1));
    };
    const slow = (pattern: string, name: string) =>
      [...name, '.'].some((sign, i) => (sign === '.' || i === name.length) && whole(pattern, name.slice(0, i)));
    const text = (signs: string) => fc.array(fc.constantFrom(...signs), { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text('ab.*?'), text('ab.'), (pattern, name) => matches(pattern, name) === slow(pattern, name)),
      { numRuns: 2000 },
    );
  });

  it('ends soon on patterns that make others go back and forth', () => {
    expect(matches('*a'.repeat(100), `${'a'.repeat(20000)}b`)).to.equal(false);
  });
});

describe('unmatched', () => {
  it('names the patterns that match nothing', () => {
    expect(unmatched(['a*', 'b', 'c'], ['a.b', 'c.d'])).to.deep.equal(['b']);
  });
});
