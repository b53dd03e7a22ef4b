import { describe, expect, it } from 'vitest';
import { fileUri } from '../../../src/places/filestore/layout/file-uri.ts';
import { createKeySpace } from '../../../src/places/filestore/layout/key-paths.ts';

describe('keys as files', () => {
  it('are taken as MLflow takes them', () => {
    const problemOf = createKeySpace('/store');
    for (const key of [
      'loss',
      'val/loss',
      'a b.c-d_e:f',
      'é 日本',
      '__proto__',
      '.hidden',
      'x'.repeat(250),
      `${'y'.repeat(200)}/${'z'.repeat(49)}`,
    ]) {
      expect(problemOf(key), key).toBeUndefined();
    }
    for (const key of [
      '',
      '.',
      '..',
      '..a',
      '/a',
      'a/',
      'a//b',
      'a/../b',
      'a/./b',
      'a\0b',
      'a@b',
      'a,b',
      '😀',
      'é'.repeat(130),
      'a/b\u0300',
    ]) {
      expect(problemOf(key), key).toBeTypeOf('string');
    }
  });

  it('cannot be a file and a directory at once: the first one stays', () => {
    const problemOf = createKeySpace('/store', ['present/key']);
    expect(problemOf('a')).toBeUndefined();
    expect(problemOf('a')).toBeUndefined();
    expect(problemOf('a/b')).toMatch(/"a" is a file/);
    expect(problemOf('c/d')).toBeUndefined();
    expect(problemOf('c')).toMatch(/directory of other keys/);
    expect(problemOf('present')).toMatch(/directory of other keys/);
    expect(problemOf('present/key/more')).toMatch(/"present\/key" is a file/);
  });
});

it('a path becomes the URI that Python writes', () => {
  expect(fileUri('/a b/ü(1)/x~y+z')).toBe('file:///a%20b/%C3%BC%281%29/x~y%2Bz');
});
