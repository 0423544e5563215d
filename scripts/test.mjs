// Runs the tests. Arguments are jest's; without any, the whole suite runs, on as many cores as there are.
//
// Lifetimes and deadlines in the tests are real, and so are the servers: where other programs take the cores, one of thousands may miss its moment. So the files of up to MOST_REPEATED
// that failed run once more, one after the other, with nothing beside them. What fails there too has failed. What passes there is named. No second chance has what a wrong order of events has
// shown once: a counterexample of a property, a violation in random interleavings.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MOST_REPEATED = 5;
const PROPERTY_FAILED = /Property failed after/;
const RANDOM_ORDER = /interleavings[^/\\]*$/;
const JEST = join(createRequire(import.meta.url).resolve('jest/package.json'), '../bin/jest.js');

const given = process.argv.slice(2);
process.exitCode = given.length > 0 ? jest(given) : testAll();

function jest(args) {
  return spawnSync(process.execPath, [JEST, ...args], { stdio: 'inherit' }).status ?? 1;
}

function testAll() {
  const folder = mkdtempSync(join(tmpdir(), 'test-results-'));
  try {
    const first = run(join(folder, 'first.json'));
    const failed = first.files.filter((file) => file.status === 'failed');
    if (first.status === 0 || !mayRepeat(failed)) return first.status;
    console.error(`\nOnce more, with nothing beside them:\n${listed(failed.map((file) => file.name))}\n`);
    const second = run(join(folder, 'second.json'), [
      '--runInBand',
      '--runTestsByPath',
      ...failed.map((file) => file.name),
    ]);
    return report(first, failed, second);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files as `{ name, status, assertionResults }`. None where jest ended before it could tell. */
function run(outputFile, args = []) {
  const status = jest([...args, '--json', `--outputFile=${outputFile}`]);
  try {
    return { status, files: JSON.parse(readFileSync(outputFile, 'utf8')).testResults };
  } catch {
    return { status: status || 1, files: [] };
  }
}

function mayRepeat(failed) {
  return failed.length > 0 && failed.length <= MOST_REPEATED && !failed.some(isShownOnce);
}

function isShownOnce({ name, message, assertionResults }) {
  const messages = [message, ...assertionResults.flatMap((test) => test.failureMessages)];
  return RANDOM_ORDER.test(name) || messages.some((text) => PROPERTY_FAILED.test(text));
}

/** Ends with a line like jest's own, about the tests of both runs. */
function report(first, failed, second) {
  const lasting = first.files.filter((file) => !failed.includes(file));
  const last = count([...lasting, ...second.files]);
  console.error(
    `\nFailed beside others, ${second.status === 0 ? 'passed' : 'not all passed'} alone:\n${listed(namesOfFailed(failed))}`,
  );
  console.error(
    `Tests: ${last.failed > 0 ? `${last.failed} failed, ` : ''}${last.passed} passed, ${last.failed + last.passed} total`,
  );
  return second.status;
}

function count(files) {
  const results = files.flatMap((file) => file.assertionResults.map(({ status }) => status));
  const withStatus = (wanted) => results.filter((status) => status === wanted).length;
  return { passed: withStatus('passed'), failed: withStatus('failed') };
}

function namesOfFailed(files) {
  return files.flatMap((file) => {
    const names = file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
    return names.length > 0 ? names : [file.name]; // A file that could not be run at all.
  });
}

function listed(lines) {
  return lines.map((line) => `  ${line}`).join('\n');
}
