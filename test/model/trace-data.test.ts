import { describe, expect, it } from 'vitest';
import { parseTraceData, printTraceData } from '../../src/model/mlflow/trace-data.ts';

const TRACE = `tr-${'0123456789abcdef'.repeat(2)}`;
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

/** One span as MLflow has written it. */
const NEWER = {
  trace_id: base64(TRACE.slice(3)),
  span_id: base64('00000000000000a1'),
  parent_span_id: base64('00000000000000a0'),
  name: 's',
  start_time_unix_nano: 0,
  end_time_unix_nano: 1,
  events: [{ name: 'e', time_unix_nano: 2, attributes: { a: 1, b: [true] } }],
  status: { code: 'STATUS_CODE_ERROR', message: 'm' },
  attributes: { 'mlflow.traceRequestId': JSON.stringify(TRACE), x: '{"a":1.0}', y: 'no JSON' },
};
const OLDER = {
  name: 's',
  context: { span_id: '0x00000000000000a1', trace_id: `0x${TRACE.slice(3)}` },
  parent_id: '0x00000000000000a0',
  start_time: 0,
  end_time: 1,
  status_code: 'ERROR',
  status_message: 'm',
  attributes: NEWER.attributes,
  events: [{ name: 'e', timestamp: 2, attributes: { a: 1, b: [true] } }],
};
/** MLflow 3.5.0. */
const HEX = {
  ...NEWER,
  trace_id: TRACE,
  span_id: '00000000000000a1',
  parent_span_id: '00000000000000a0',
  status: { code: 'ERROR', message: 'm' },
};

/** ns beyond 2^53, which JSON of JavaScript does not have. */
const withTimes = (text: string) =>
  text
    .replace(/(start_time(?:_unix_nano)?":)0/, '$11795797330817970078')
    .replace(/("timestamp":|"time_unix_nano":)2/, '$11795797331958849025');

describe('traces.json', () => {
  it.each([
    ['3.x', NEWER],
    ['2.14 to 2.22', OLDER],
    ['3.5.0', HEX],
  ])('of MLflow %s is read exactly', (_, span) => {
    expect(parseTraceData(withTimes(JSON.stringify({ spans: [span] })), TRACE)).toEqual([
      {
        span_id: '00000000000000a1',
        parent_span_id: '00000000000000a0',
        name: 's',
        start_time_unix_nano: '1795797330817970078',
        end_time_unix_nano: 1,
        status_code: 'ERROR',
        status_message: 'm',
        attributes: { x: '{"a": 1.0}', y: 'no JSON' },
        events: [{ name: 'e', time_unix_nano: '1795797331958849025', attributes: { a: '1', b: '[true]' } }],
        links: [],
      },
    ]);
  });

  it.each([true, false])('is written so that it reads back (older: %s)', (older) => {
    const spans = parseTraceData(
      withTimes(
        JSON.stringify({
          spans: [NEWER, { ...NEWER, span_id: base64('00000000000000b1'), parent_span_id: null }],
        }),
      ),
      TRACE,
    );
    expect(parseTraceData(printTraceData(spans, TRACE, older), TRACE)).toEqual(spans);
  });

  it('keeps the id that OpenTelemetry gave a trace, where it is another one', () => {
    const [span] = parseTraceData(JSON.stringify({ spans: [OLDER] }), 'f00d');
    expect(span?.trace_id).toBe(TRACE.slice(3));
    expect(span?.attributes['mlflow.traceRequestId']).toBe(JSON.stringify(TRACE));
    expect(printTraceData(span === undefined ? [] : [span], 'f00d', true)).toContain(`"0x${TRACE.slice(3)}"`);
  });

  it.each(['', '[]', '{}', '{"spans": 1}', '{"spans": [{}]}', '{"spans": [{"span_id": "zz"}]}'])(
    'that is none is refused: %s',
    (text) => {
      expect(() => parseTraceData(text, TRACE)).toThrow(SyntaxError);
    },
  );
});
