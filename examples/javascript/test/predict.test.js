// The rules that docs/PROTOCOL.md gives for our own ship, against the ones the server plays by.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUTTONS } from '../arena.js';
import { Predictor, exact } from '../predict.js';
import { seated, startServer, until } from './scene.js';

const MOTION = ['x', 'y', 'vx', 'vy', 'heading', 'afloat'];
const TIMERS = ['hull', 'shield', 'cooldown', 'rail', 'contact', 'unrest', 'rapid', 'protection', 'held'];
/** Into a rock, then out over the border, then about with every engine in turn; guns firing. */
function fly(own, tick, rocks, { rocks: touched, outside }) {
  const guns = BUTTONS.cannon | BUTTONS.rail;
  const distance = ({ x, y }) => Math.hypot(x - own.x, y - own.y);
  const [rock] = [...rocks].sort((a, b) => distance(a) - distance(b));
  if (touched === 0 && rock) return { aim: Math.atan2(rock.y - own.y, rock.x - own.x), buttons: BUTTONS.engine | guns };
  if (outside <= 20) return { aim: Math.atan2(own.y, own.x), buttons: BUTTONS.engine | BUTTONS.right | guns };
  const engines = [BUTTONS.engine, BUTTONS.engine | BUTTONS.left, BUTTONS.engine | BUTTONS.right, BUTTONS.reverse];
  return { aim: tick / 80, buttons: engines[(tick >> 6) % 4] | guns };
}

const pick = (own, fields) => Object.fromEntries(fields.map((field) => [field, own[field]]));

test('our ship is where we predicted it, to the last bit', { timeout: 60_000 }, async (scene) => {
  const server = await startServer('--bots', '0', '--seed', '11');
  scene.after(() => server.end());
  const pia = await seated(server, 'Pia');
  const predictor = new Predictor();
  pia.on('sent', (sent) => predictor.sent(sent));
  const compared = { snapshots: 0, ahead: 0, fast: 0, rocks: 0, outside: 0 };
  let before = null;
  pia.on('snapshot', ({ tick, own, head }) => {
    const predicted = predictor.reconcile({ tick, own, things: pia.world.things() });
    pia.sample = fly(own, tick, predictor.rocks, compared);
    // A tick for which our sample was not there, a pickup, and a new ship are the server's to tell.
    const told = before && head.missing === before.missing && own.score === before.score && own.entity === before.entity;
    before = { missing: head.missing, score: own.score, entity: own.entity };
    if (!told || !predicted || !own.afloat) return;
    const fields = [...MOTION, ...TIMERS];
    assert.deepEqual(pick(predicted, fields), pick(exact(own), fields), `tick ${tick}`);
    compared.snapshots += 1;
    compared.ahead = Math.max(compared.ahead, predictor.tick - tick);
    compared.fast += Math.hypot(own.vx, own.vy) > 440 ? 1 : 0;
    compared.rocks += predictor.rocks.some((rock) => Math.hypot(rock.x - own.x, rock.y - own.y) < rock.radius + 17) ? 1 : 0;
    compared.outside += Math.hypot(own.x, own.y) > own.arena.from ? 1 : 0;
  });
  await until(pia, () => compared.snapshots > 500 && compared.fast > 20 && compared.rocks > 0 && compared.outside > 20);
  assert.ok(compared.ahead >= 2, 'it ran ahead of what the server told');
  pia.leave();
});
