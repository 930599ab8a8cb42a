import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { tarGz } from '../programs/archive-server.fixture.ts';

const source = new URL('./mongod.fixture.mjs', import.meta.url);

/** The stand-in for mongod, able to run wherever it lies. */
async function program(): Promise<string> {
  const bson = createRequire(createRequire(import.meta.url).resolve('mongodb')).resolve('bson');
  return (await readFile(source, 'utf8'))
    .replace("process.env.BSON_MODULE ?? 'bson'", JSON.stringify(bson))
    .replace('/usr/bin/env node', process.execPath);
}

/** An archive as the maker's are. */
export async function mongodArchive(): Promise<{ content: Buffer; sha256: string }> {
  const content = tarGz([{ name: 'mongodb-linux-x86_64-ubuntu2204-8.0.32/bin/mongod', content: await program(), mode: 0o755 }]);
  return { content, sha256: createHash('sha256').update(content).digest('hex') };
}

/** Puts the stand-in where a fetched mongod would be. */
export async function placeMongod(enginesDir: string, version = '8.0.32'): Promise<void> {
  const folder = join(enginesDir, `mongodb-${version}`, 'bin');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'mongod'), await program());
  await chmod(join(folder, 'mongod'), 0o755);
}
