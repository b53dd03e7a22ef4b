import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Ends the run with a line `N passed, N failed` (`, N skipped`) of its own, after a list of what was skipped and
 * why. A file that does not load and an error outside any test count as failures. In CI a skipped test makes the
 * run fail: there everything that a test needs is installed.
 */
export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    let passed = 0;
    let failed = unhandled.length;
    const skipped: string[] = [];
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'failed') failed += 1;
        else skipped.push(`${module.relativeModuleId} > ${test.fullName}: ${noteOf(result)}`);
      }
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
    }
    if (process.env.CI && skipped.length > 0) process.exitCode = 1;
    process.once('exit', () => {
      for (const test of skipped) console.log(`skipped: ${test}`);
      if (process.env.CI && skipped.length > 0) console.log('Nothing may be skipped in CI.');
      console.log(
        `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
      );
    });
  }
}

function noteOf(result: { state: string; note?: string | undefined }): string {
  return result.note ?? 'no reason given';
}
