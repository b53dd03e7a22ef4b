import { archiveLocation } from '../../src/places/archive/location.ts';
import { type LocationText, readLocation } from '../../src/places/location-text.ts';
import { serverLocation } from '../../src/places/server/location.ts';
import { streamLocation } from '../../src/places/stream/location.ts';

/** A kind of place's own form of a location, of a text that must name such a place. */
const locator =
  <L>(claim: (text: LocationText) => L | undefined) =>
  (text: string): L => {
    const location = claim(readLocation(text));
    if (location === undefined) throw new Error(`${text} is another place`);
    return location;
  };

export const serverAt = locator(serverLocation);
export const archiveAt = locator(archiveLocation);
export const streamAt = locator(streamLocation);
