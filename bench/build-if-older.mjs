// The benchmark measures what users install: dist/. This builds it where it is missing or older than src/.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const changedAt = (file) => statSync(file).mtimeMs;

function isCurrent(built) {
  if (!existsSync(built)) return false;
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return sources.every((name) => changedAt(join('src', name)) <= changedAt(built));
}

/** Builds when needed. Expects the package's folder as the working directory. */
export function buildIfOlder() {
  if (isCurrent('dist/esm/index.js')) return;
  process.stderr.write('building dist/\n');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('npm run build failed');
}
