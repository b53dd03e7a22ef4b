import { describe, expect, it } from 'vitest';
import { header } from '../../src/kinds/wire-record.ts';
import { namesOfPlacesThatCan, placeAt, places } from '../../src/places/registry.ts';

describe('a location names', () => {
  it.each([
    ['http://localhost:5000', 'server'],
    ['HTTPS://u:p@host/prefix?workspace=team', 'server'],
    ['databricks', 'server'],
    ['databricks://profile', 'server'],
    ['-', 'stream'],
    ['runs.ndjson', 'stream'],
    ['a/RUNS.NDJSON.GZ', 'stream'],
    ['runs.ndjson.zst', 'stream'],
    ['b.tar', 'archive'],
    ['b.tar.gz', 'archive'],
    ['b.tgz', 'archive'],
    ['file:///tmp/b.tar.zst', 'archive'],
    ['.tar', 'filestore'],
    ['mlruns', 'filestore'],
    ['C:\\mlruns', 'filestore'],
    ['test/fixtures/export-import/2022-12-04/all', 'export-import'],
    ['file:test/fixtures/export-import/2026-01/model', 'export-import'],
    ['test/fixtures', 'filestore'],
    ['databricks.tar', 'archive'],
    ['./not-there.txt', 'filestore'],
    ['sqlite:///mlflow.db', 'database'],
    ['postgresql+psycopg2://u@h:5432/db', 'database'],
    ['mysql://h/db', 'database'],
    ['SQLITE+pysqlite:////data/mlflow.db?workspace=team-a', 'database'],
    ['sqlite:///C:\\data\\mlflow.db', 'database'],
  ])('%s: %s', (text, kind) => {
    expect(placeAt(text).descriptor.kind).toBe(kind);
  });

  it.each([
    ['', 'An empty text names no place'],
    ['package.json', '"package.json" is a file, but not an archive or stream by its name'],
    ['sqlite://', '"sqlite://" names no file'],
    ['sqlite:///:memory:', '"sqlite:///:memory:" names no file'],
    ['sqlite://mlflow.db', '"sqlite://mlflow.db" names no file'],
    ['sqlite:///x.db?workspace=', '"sqlite:///x.db?workspace=": the workspace has no name'],
    [
      'mssql+pyodbc://u:p@h/db',
      '"mssql+pyodbc://***@h/db" is a kind of place that this version cannot read or write',
    ],
    ['postgresql://u:p@h', '"postgresql://***@h" names no database'],
    ['mysql://h:port/db', '"mysql://h:port/db" names no database'],
    ['postgresql://h/db?sslmode=maybe', '"postgresql://h/db?sslmode=maybe": sslmode=maybe is not understood'],
    [
      'postgresql://h/db?target_session_attrs=read-write',
      '"postgresql://h/db?target_session_attrs=read-write": the parameter target_session_attrs is not understood',
    ],
    ['mysql://h/db?charset=latin1', '"mysql://h/db?charset=latin1": charset=latin1 is not understood'],
    ['sqlite:///x.db?mode=ro', '"sqlite:///x.db?mode=ro": the parameter mode is not understood'],
    ['s3://bucket/x', '"s3://bucket/x": mlferry does not know places of this scheme'],
    ['file://host/x', '"file://host/x" is not a valid file URL'],
    ['http://', '"http://" is not a valid URL'],
    ['http://h?workspace=', '"http://h?workspace=": the workspace has no name'],
  ])('nothing: %s', (text, message) => {
    expect(() => placeAt(text)).toThrow(expect.objectContaining({ code: 'LOCATION', message }));
  });

  it('which the hint of a wrong one tells', () => {
    for (const form of places.flatMap(({ words }) => words.short)) {
      const hint = expect.stringContaining(form);
      expect(() => placeAt('s3://bucket/x')).toThrow(expect.objectContaining({ hint }));
    }
  });
});

describe('the identity of a place', () => {
  it.each([
    ['http://u:p@Host:80/prefix//', 'http://host/prefix'],
    ['http://host?workspace=a b#x', 'http://host?workspace=a%20b'],
    ['databricks://Profile', 'databricks://Profile'],
    ['-', undefined],
    ['/not-there/../b.tar', '/b.tar'],
    ['sqlite:////not-there/../mlflow.db?workspace=default', 'sqlite:////mlflow.db'],
    ['sqlite+pysqlite:////mlflow.db?workspace=a b', 'sqlite:////mlflow.db?workspace=a%20b'],
    [
      'postgres+psycopg2://u:p%40@Host:5433/a%20b?workspace=team',
      'postgresql://host:5433/a b?workspace=team',
    ],
    ['mariadb+pymysql://u:p@h/db?charset=utf8mb4', 'mysql://h/db'],
    ['postgresql:///db?host=/var/run/postgresql', 'postgresql:///var/run/postgresql/db'],
    ['postgresql://h:5432/db?sslmode=require', 'postgresql://h/db'],
    ['postgresql://h/db?port=5433&application_name=x', 'postgresql://h:5433/db'],
    ['mysql://H:3306/db?ssl_mode=VERIFY_CA', 'mysql://h/db'],
    ['mysql:///db?unix_socket=/run/My.sock', 'mysql:///run/My.sock/db'],
  ])('%s', (text, identity) => {
    expect(placeAt(text).identity()).toBe(identity);
  });
});

describe('every kind of place', () => {
  it('has a name of its own that the header of a file takes', () => {
    expect(new Set(places.map(({ kind }) => kind)).size).toBe(places.length);
    const { kind } = header.shape.source.shape;
    for (const place of places) expect(kind.safeParse(place.kind).success).toBe(true);
    // Files of other versions.
    for (const known of ['server', 'filestore', 'archive', 'stream', 'database', 'databricks'])
      expect(kind.safeParse(known).success).toBe(true);
    for (const wrong of ['', 'Server', 'a b', '\u001b[1m', 'x'.repeat(33)])
      expect(kind.safeParse(wrong).success).toBe(false);
  });

  it('claims its own example, and no other does', () => {
    const byName = places.filter(({ byContent }) => byContent !== true);
    expect(byName.length).toBeGreaterThan(3);
    for (const place of byName) expect(placeAt(place.words.example).descriptor).toBe(place);
  });

  it('can be read or written; some can be managed', () => {
    for (const { abilities } of places) expect(abilities.has('read') || abilities.has('write')).toBe(true);
    expect(namesOfPlacesThatCan('manage')).toBe('tracking server, database of MLflow or mlruns directory');
  });
});
