import type { PlaceOptions } from '../../../src/places/place-options.ts';
import { connect } from '../../../src/places/server/connect/client.ts';
import type { TrackingClient } from '../../../src/places/server/connect/tracking-client.ts';
import { serverAt } from '../locations.ts';
import { placeOptions } from './place-options.ts';

/** A client of the server at this location. */
export async function connectTo(
  location: string,
  environment: Record<string, string> = {},
  more: Partial<PlaceOptions> = {},
): Promise<TrackingClient> {
  const place = serverAt(location);
  return connect(place, (await placeOptions(environment, more)).options);
}
