// Pictures of every screen of the game, from a server with bots that it starts itself, for people to look at: target/screens/*.png.
//
//   npm install --prefix /tmp/pages playwright-core
//   cargo xtask site && cargo build -p broadside-server -p broadside-bots --bins
//   NODE_PATH=/tmp/pages/node_modules node docs/screens.mjs        # CHROMIUM names another browser than /usr/bin/chromium
//
// It takes about two minutes: the results are those of a duel that a bot wins.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(import.meta.url)('playwright-core');
const folder = 'target/screens';
const port = 18481;
mkdirSync(folder, { recursive: true });
const run = (program, ...flags) => spawn(`target/debug/${program}`, flags.map(String), { stdio: 'ignore' });
const server = run('broadside-server', '--port', port, '--bots', 0, '--data', 'memory');
const running = [server];
const bots = (...flags) => running.push(run('bot', `ws://127.0.0.1:${port}/ws`, '--skill', 0.6, ...flags));

// Playwright's own flags would switch WebGL off.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--enable-unsafe-swiftshader'] });
const open = async (path, size = [1280, 720], more = {}) => {
  const context = await browser.newContext({ viewport: { width: size[0], height: size[1] }, ...more });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`${path}: ${error}`));
  await page.goto(`http://127.0.0.1:${port}${path}`);
  return page;
};
const until = (page, wanted) => page.waitForFunction(wanted, null, { timeout: 150_000 });
const playing = () => window.broadside.state().phase === 'playing';
const keep = async (page, name) => {
  await page.screenshot({ path: `${folder}/${name}.png` });
  console.log(`${folder}/${name}.png`);
};

try {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  bots('--count', 14, '--mode', 'arena');
  const duel = await open('/?effects=medium&name=Ann');
  await until(duel, () => window.broadside.state().connected);
  await duel.waitForTimeout(1500);
  await keep(duel, 'title');

  const battle = await open('/?effects=full&name=Ben&room=1&autojoin=1', [1280, 720]);
  await until(battle, playing);
  await battle.mouse.move(900, 300);
  await battle.keyboard.down('w');
  await battle.mouse.down();
  await battle.waitForTimeout(4000);
  await keep(battle, 'battle');
  await battle.mouse.up();
  await battle.keyboard.up('w');
  await battle.keyboard.down('Tab');
  await battle.waitForTimeout(800);
  await keep(battle, 'scoreboard');
  await battle.keyboard.up('Tab');
  await battle.close();

  const simple = await open('/?effects=simple&name=Cleo&room=1&autojoin=1');
  await until(simple, playing);
  await simple.waitForTimeout(2500);
  await keep(simple, 'simple');
  await simple.close();

  for (const [name, size] of [['phone', [390, 844]], ['phone-landscape', [844, 390]]]) {
    const phone = await open('/?effects=low&name=Dan&room=1&autojoin=1', size, { hasTouch: true, isMobile: true });
    await until(phone, playing);
    await phone.touchscreen.tap(size[0] * 0.3, size[1] * 0.7);
    await phone.waitForTimeout(1500);
    await keep(phone, name);
    await phone.close();
  }

  const german = await open('/?effects=low&name=Eva', [1280, 720], { locale: 'de-DE' });
  await until(german, () => window.broadside.state().connected);
  await german.waitForTimeout(1500);
  await keep(german, 'german');
  await german.click('#pages [data-act=settings]');
  await german.waitForSelector('#settings[open]');
  await keep(german, 'german-settings');
  await german.close();

  await duel.click('#pages [data-act=settings]');
  await duel.waitForSelector('#settings[open]');
  await keep(duel, 'settings');
  await duel.keyboard.press('Escape');
  bots('--count', 1, '--mode', 'duel');
  await duel.click('.mode.duel');
  await until(duel, playing);
  await duel.waitForTimeout(1500);
  await keep(duel, 'duel');
  await until(duel, () => document.getElementById('rematch').checkVisibility());
  await duel.waitForTimeout(800);
  await keep(duel, 'results');
} finally {
  await browser.close();
  for (const child of running) child.kill();
}
