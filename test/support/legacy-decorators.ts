import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from '@jest/globals';

const ROOT = resolve(__dirname, '../..');
const folders: string[] = [];

afterAll(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true }))));

/**
 * A source as TypeScript makes it with `experimentalDecorators`. Rejects with what the compiler says when it has an error, or an `@ts-expect-error` that it has not. The source imports types
 * alone, so its output runs by itself.
 */
export async function withLegacyDecorators<Module>(file: string): Promise<Module> {
  const folder = await mkdtemp(join(tmpdir(), 'legacy-decorators-'));
  folders.push(folder);
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      experimentalDecorators: true,
      module: 'commonjs',
      moduleResolution: 'bundler',
      verbatimModuleSyntax: false,
      rewriteRelativeImportExtensions: true,
      typeRoots: [join(ROOT, 'node_modules/@types')],
      noEmit: false,
      rootDir: ROOT,
      outDir: folder,
    },
    include: [],
    files: [join(ROOT, file)],
  };
  const project = join(folder, 'tsconfig.json');
  await writeFile(project, JSON.stringify(config));
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project]).catch(
    ({ stdout }: { stdout?: string }) => {
      throw new Error(`${basename(file)} does not compile:\n${stdout}`);
    },
  );
  return (await import(join(folder, file.replace(/\.ts$/, '.js')))) as Module;
}
