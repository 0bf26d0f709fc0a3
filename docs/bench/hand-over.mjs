// Two pages through twenty hand-overs beside 500 bots, and how long each stood still.
//
//   npm install --prefix /tmp/pages playwright-core
//   cargo xtask site && cargo build --release -p broadside-server -p broadside-bots --bins
//   NODE_PATH=/tmp/pages/node_modules node docs/bench/hand-over.mjs [BOTS] [HAND-OVERS]
//
// One page plays a team match, the other one chats in the lobby. A stall is the time around a welcome from the last answer to the next: of the match from
// snapshot to snapshot, of the lobby from pong to pong, with a ping every 20 ms. What was said before a hand-over must be read after it.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { chromium } = createRequire(import.meta.url)('playwright-core');
const [bots = 500, count = 20] = process.argv.slice(2).map(Number);
const port = 18479;
const data = mkdtempSync(join(tmpdir(), 'hand-over-'));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Every process of the server writes into the same pipe.
const flags = ['--port', port, '--bots', 0, '--capacity', bots + 50, '--limit-exempt', '127.0.0.1', '--data', data].map(String);
const server = spawn('target/release/broadside-server', flags, { env: { ...process.env, RUST_LOG: 'info', NO_COLOR: '1' } });
let [pid, still] = [server.pid, []];
for (const pipe of [server.stdout, server.stderr]) {
  createInterface(pipe).on('line', (line) => {
    const [, successor] = line.match(/starting a successor.*process=(\d+)/) ?? [];
    if (successor) pid = Number(successor);
    const [, ms] = line.match(/handed over.*stall_ms=(\d+)/) ?? [];
    if (ms) still.push(Number(ms));
  });
}
await sleep(1000);
const run = (...flags) => spawn('target/release/bot', [`ws://127.0.0.1:${port}/ws`, ...flags.map(String)], { stdio: 'ignore' });
const others = [run('--count', bots - 11, '--mode', 'arena'), run('--count', 11, '--mode', 'teams')];

/** Notes when what came over each socket of the page, and repeats its pings where that is all that is answered: the page takes the answers for its own. */
const watch = (pings) => {
  const [noted, PING] = [(window.noted = []), 2];
  window.closed = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener('message', ({ data }) => {
        const [kind, variant] = new Uint8Array(data);
        noted.push([performance.now(), kind === 2 ? 'snapshot' : ['welcome', 'joined', 'pong'][variant]]);
      });
      this.addEventListener('close', () => (window.closed += 1));
    }

    send(frame) {
      super.send(frame);
      // Of the page's memory, which it uses again.
      const ping = new Uint8Array(frame).slice();
      if (pings && ping[0] === 1 && ping[1] === PING && !this.again) this.again = setInterval(() => this.readyState === 1 && super.send(ping), 20);
    }
  };
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--disable-gpu', '--disable-software-rasterizer'] });
const page = async (query, pings) => {
  const page = await (await browser.newContext({ viewport: { width: 320, height: 240 } })).newPage();
  await page.addInitScript(watch, pings);
  await page.goto(`http://127.0.0.1:${port}/${query}`);
  await page.waitForFunction(() => window.broadside?.state().connected, null, { timeout: 60_000 });
  return page;
};
const fighter = await page('?name=Ann&effects=low', false);
await fighter.click("[data-act='mode:teams']");
await fighter.waitForFunction(() => window.broadside.state().phase === 'playing');
const talker = await page('?name=Ben&effects=low', true);
await sleep(8000);

/** Milliseconds between the answers around each welcome but the first. */
const stalls = (noted, answer) => {
  const found = [];
  noted.forEach(([, what], at) => {
    if (what !== 'welcome') return;
    const before = noted.slice(0, at).findLast(([, kind]) => kind === answer);
    const after = noted.slice(at).find(([, kind]) => kind === answer);
    if (before && after) found.push(after[0] - before[0]);
  });
  return found.sort((a, b) => a - b);
};
const said = [];
for (let number = 0; number < count; number += 1) {
  said.push(`before hand-over ${number}`);
  await talker.evaluate((text) => {
    document.querySelector('#chat-text').value = text;
    document.querySelector('#chat-form').requestSubmit();
  }, said.at(-1));
  process.kill(pid, 'SIGUSR2');
  await sleep(3000);
}
const shown = (all) => {
  const long = all.filter((ms) => ms > 250).length;
  return `${all.length} hand-overs, median ${all[all.length >> 1]?.toFixed(0)} ms, longest ${all.at(-1)?.toFixed(0)} ms, ${long} over 250 ms`;
};
console.log(`server stands still: ${shown(still.sort((a, b) => a - b))}`);
console.log(`page in a match: ${shown(stalls(await fighter.evaluate(() => window.noted), 'snapshot'))}`);
console.log(`page in the lobby: ${shown(stalls(await talker.evaluate(() => window.noted), 'pong'))}`);
const lines = (await talker.evaluate(() => window.broadside.state().chat)).map(({ text }) => text);
console.log(`said and read: ${said.filter((text) => lines.includes(text)).length} of ${said.length}`);
const state = await fighter.evaluate(() => window.broadside.state());
console.log(`page in a match: ${state.phase}, ${state.mode}`);
await fighter.screenshot({ path: join(tmpdir(), 'hand-over-match.png') });
await talker.screenshot({ path: join(tmpdir(), 'hand-over-lobby.png') });
await browser.close();
others.forEach((bot) => bot.kill());
process.kill(pid);
await sleep(2000);
rmSync(data, { recursive: true, force: true });
