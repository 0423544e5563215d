/** What a contract needs of a test runner: those of Jest, Vitest, Mocha and `node:test` all fit. */
export interface TestRunner {
  describe(name: string, declare: () => void): unknown;
  it(name: string, run: () => Promise<void>): unknown;
}
