import { originId } from '../../../model/canonical.ts';
import { modelVersion, registeredModel } from '../../../model/registered-model.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter } from '../../objects.ts';
import { readKnownVersions } from './known-versions.ts';
import type { RegistryJob } from './registry-rows.ts';
import type { Target } from './target.ts';
import { writeVersion } from './write-model-version.ts';
import { writeModel } from './write-registered-model.ts';

/** Writes registered models and their versions. */
export interface RegistryWriter {
  readonly models: ObjectWriter;
  readonly versions: ObjectWriter;
}

const NOTHING = { artifacts: 0, bytes: 0 };

/** See {@link RegistryWriter}. A name or number that the database has from elsewhere is left as it is. */
export function registryWriter(target: Target): RegistryWriter {
  const jobOf = (source: ObjectReader, copy: ObjectTarget, name: string): RegistryJob => {
    const of = { kind: source.of.kind, id: originId(copy.origin), name };
    return { target, source, copy, of, note: (loss) => target.findings.loss({ ...loss, of }) };
  };
  let known: ReturnType<typeof readKnownVersions> | undefined;
  return {
    async models(source, copy) {
      const wanted = registeredModel.parse(copy.remap({ id: originId(copy.origin) }));
      const outcome = await writeModel(jobOf(source, copy, wanted.name), wanted);
      return { id: wanted.name, outcome, ...NOTHING };
    },
    async versions(source, copy) {
      const id = originId(copy.origin);
      const wanted = modelVersion.parse(copy.remap({ id }));
      known ??= readKnownVersions(target);
      const there = (await known).get(`${wanted.name}/${wanted.version}`);
      if (there?.origin === copy.origin && there.digest === copy.digest)
        return { id, outcome: 'unchanged', ...NOTHING };
      return { id, ...(await writeVersion(jobOf(source, copy, wanted.name), wanted)) };
    },
  };
}
