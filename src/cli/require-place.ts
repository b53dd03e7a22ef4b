import type { PlaceDescriptor } from '../places/descriptor.ts';
import { placeAt, withArticle } from '../places/registry.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';

/** Throws LOCATION unless the location is one of this kind of place. */
export function requirePlace(location: string, wanted: PlaceDescriptor): void {
  const { kind } = placeAt(location).descriptor;
  if (kind === wanted.kind) return;
  const named = withArticle(wanted.kind);
  throw new MlferryError('LOCATION', `"${redact(location)}" is ${withArticle(kind)}, not ${named}`, {
    hint: `Name ${named} such as ${wanted.words.example}, or use mlferry copy.`,
  });
}
