// What `npm pack` would publish.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

test('the package is its sources, types, readme and licences, and needs nothing else', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder, shell: process.platform === 'win32' });
  const [{ name, files }] = JSON.parse(packed);
  const sources = readdirSync(`${folder}/src`).map((file) => `src/${file}`);
  const expected = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'index.d.ts', 'package.json', ...sources];
  assert.deepEqual([name, files.map(({ path }) => path).sort()], ['@broadside/client', expected.sort()]);
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
  for (const source of sources) {
    const imports = readFileSync(`${folder}/${source}`, 'utf8').matchAll(/\bfrom '([^']+)'/g);
    for (const [, from] of imports) assert.match(from, /^\.\//, `${source} imports ${from}`);
  }
});
