import { MlferryError, systemCode } from './errors.ts';

/** Loads an optional dependency. Throws UNSUPPORTED, with what to install, where it is left out. */
export async function loadPackage<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (systemCode(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MlferryError('UNSUPPORTED', `The package "${name}" is not installed`, {
      cause: error,
      hint: `npm install ${name} (with -g where mlferry was installed so) installs it.`,
    });
  }
}
