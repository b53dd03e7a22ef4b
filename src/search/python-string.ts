/**
 * MLflow reads the list behind IN with Python's own `ast.literal_eval`, other than its single literals: there the
 * escapes of Python mean what they mean in Python, and `'it''s'` is the two strings `it` and `s` joined.
 */

const SINGLE: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([xuUN])|([\s\S]))/g;

/** The value of one or more Python string literals side by side; undefined where Python would find an error. */
export function pythonString(source: string): string | undefined {
  let value = '';
  let position = 0;
  while (position < source.length) {
    const end = literalEnd(source, position);
    if (end === undefined) return undefined;
    const part = unescaped(source.slice(position + 1, end - 1));
    if (part === undefined) return undefined;
    value += part;
    position = end;
  }
  return value;
}

function literalEnd(source: string, start: number): number | undefined {
  const quote = source[start];
  for (let position = start + 1; position < source.length; position += 1) {
    const character = source[position];
    if (character === quote) return position + 1;
    if (character === '\n' || character === '\r') return undefined;
    if (character === '\\') position += 1;
  }
  return undefined;
}

function unescaped(text: string): string | undefined {
  let isRight = true;
  const value = text.replace(
    ESCAPE,
    (whole, octal?: string, x?: string, u?: string, wide?: string, wrong?: string, single?: string) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      const point = Number.parseInt(x ?? u ?? wide ?? '0', 16);
      if (wrong !== undefined || point > 0x10ffff) {
        isRight = false;
        return '';
      }
      if (single !== undefined) return SINGLE[single] ?? whole;
      return String.fromCodePoint(point);
    },
  );
  return isRight ? value : undefined;
}

/** A text as one Python string literal that {@link pythonString} reads back. */
export function pythonLiteral(text: string): string {
  const escaped = text.replace(/[\\'\n\r]/g, (character) =>
    character === '\n' ? '\\n' : character === '\r' ? '\\r' : `\\${character}`,
  );
  return `'${escaped}'`;
}
