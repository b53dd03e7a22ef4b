import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LONGEST } from './longest-first.ts';
import { SLOW, testGroups } from './test-groups.ts';

const { real, slow, mocked, quick } = testGroups();

test('every test file is in one group, and every file that is named is there', () => {
  expect([...real, ...slow, ...mocked, ...quick].sort()).toEqual(globSync('test/**/*.test.ts').sort());
  expect(slow).toEqual(SLOW.toSorted());
  expect([...real, ...slow, ...quick]).toEqual(expect.arrayContaining([...LONGEST]));
});

test('no quick file starts a server or a Python', () => {
  const started = /\b(startServer|sharedServer|runPython|pythonOf|takeSnapshot|makeWorkspace)\(|'python3?'/;
  const own = 'test/test-groups.test.ts';
  const found = [...quick, ...mocked, ...slow].filter(
    (file) => file !== own && started.test(readFileSync(file, 'utf8')),
  );
  expect(found).toEqual([]);
  expect(real).toContain('test/contract/places.test.ts');
  // Through a helper of its own only.
  expect(real).toContain('test/places/filestore/real-mlflow.test.ts');
});
