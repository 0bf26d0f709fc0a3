// The rules in docs/PROTOCOL.md for the own ship, against those of the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARENA, seated, startServer, until } from '../../../packages/client/test/harness.js';
import { BUTTONS, aimOf } from '../arena.js';
import { Predictor, flat } from '../predict.js';

const MOTION = ['x', 'y', 'vx', 'vy', 'heading', 'afloat'];
const TIMERS = ['hull', 'shield', 'cooldown', 'rail', 'contact', 'unrest', 'rapid', 'protection', 'spent', 'mine', 'held'];
/** Flies into a rock, then across the border, then around with every engine in turn, firing all guns. */
function fly(own, tick, rocks, { rocks: touched, outside }) {
  const guns = BUTTONS.cannon | BUTTONS.rail | BUTTONS.mine | (tick % 200 < 90 ? BUTTONS.boost : 0);
  const distance = ({ x, y }) => Math.hypot(x - own.x, y - own.y);
  const [rock] = [...rocks].sort((a, b) => distance(a) - distance(b));
  if (touched === 0 && rock) return { aim: aimOf(Math.atan2(rock.y - own.y, rock.x - own.x)), buttons: BUTTONS.engine | guns };
  if (outside <= 20) return { aim: aimOf(Math.atan2(own.y, own.x)), buttons: BUTTONS.engine | BUTTONS.right | guns };
  const engines = [BUTTONS.engine, BUTTONS.engine | BUTTONS.left, BUTTONS.engine | BUTTONS.right, BUTTONS.reverse];
  return { aim: aimOf(tick / 80), buttons: engines[(tick >> 6) % 4] | guns };
}

const pick = (own, fields) => Object.fromEntries(fields.map((field) => [field, own[field]]));

test('the own ship matches its prediction, to the last bit', { timeout: 60_000 }, async (context) => {
  const server = await startServer(ARENA, ...ARENA.quiet, '--seed', '11');
  context.after(() => server.end());
  const pia = await seated(server, 'Pia');
  const predictor = new Predictor();
  pia.on('sent', (sent) => predictor.sent(sent));
  const compared = { snapshots: 0, ahead: 0, fast: 0, rocks: 0, outside: 0 };
  let before = null;
  pia.on('snapshot', ({ tick, playerState, head }) => {
    const own = flat(playerState);
    const predicted = predictor.reconcile({ tick, playerState, entities: pia.world.entities() });
    pia.input = fly(own, tick, predictor.rocks, compared);
    // A tick without our sample, a pickup and a new ship cannot be predicted.
    const predictable = before && head.missing === before.missing && own.score === before.score && own.entity === before.entity;
    before = { missing: head.missing, score: own.score, entity: own.entity };
    if (!predictable || !predicted || !own.afloat) return;
    const fields = [...MOTION, ...TIMERS];
    assert.deepEqual(pick(predicted, fields), pick(own, fields), `tick ${tick}`);
    compared.snapshots += 1;
    compared.ahead = Math.max(compared.ahead, predictor.tick - tick);
    compared.fast += Math.hypot(own.vx, own.vy) > 440 ? 1 : 0;
    compared.rocks += predictor.rocks.some((rock) => Math.hypot(rock.x - own.x, rock.y - own.y) < rock.radius + 17) ? 1 : 0;
    compared.outside += Math.hypot(own.x, own.y) > own.border.from ? 1 : 0;
  });
  await until(pia, () => compared.snapshots > 500 && compared.fast > 20 && compared.rocks > 0 && compared.outside > 20);
  assert.ok(compared.ahead >= 2, 'the prediction ran ahead of the server');
  pia.leave();
});
