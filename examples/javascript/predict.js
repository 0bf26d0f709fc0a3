// The rules of section 14 of docs/PROTOCOL.md: how the own ship moves with a sample, bit for bit as on the server.
//
// JavaScript computes in double precision; `f` rounds to the server's single precision after each operation.

import { BUTTONS } from './arena.js';

const f = Math.fround;
const DT = f(1 / 60);
const TURN_TO_RADIANS = f(f(2 * Math.PI) / 65536);
const [THRUST, REVERSE, STRAFE, SPEED_MAX] = [620, 420, 460, 450];
const [BOOST, SPEED_BOOST, SPEED_EASE, BOOST_MAX, BOOST_USE] = [520, 600, f(0.97), 480, 4];
const MINE_COOLDOWN = 420;
const KEPT = f(1 - f(f(0.55) * DT)); // the share of the velocity that is left after a tick
const TURN = 974;
const [HULL_MAX, CALM, REGEN, SHIELD_DECAY] = [6000, 360, 5, 2];
const [COOLDOWN, COOLDOWN_RAPID, RAIL_COOLDOWN] = [10, 5, 108];
const [SHIP_RADIUS, ROCK_REACH, BOUNCE, IMPACT_FREE, IMPACT_DAMAGE] = [16, 64, f(0.4), 200, f(3.6)];
const TIMERS = ['rail', 'contact', 'unrest', 'shield', 'rapid', 'protection'];
const [PULL, PULL_MAX, DAMAGE_DEPTH, DEPTH_DAMAGE] = [5, 900, 60, 12];

/** Predicts the own ship: applies our samples to the newest state from the server. */
export class Predictor {
  own = null; // the own ship at `tick`, see `flat`
  tick = 0;
  rocks = [];
  #samples = new Map(); // by tick
  #states = new Map(); // by tick: predictions that the server has not confirmed yet

  /** Takes the inputs that were sent for the tick `first` and those after it. */
  sent({ first, samples }) {
    samples.forEach((sample, at) => this.#samples.set(first + at, sample));
    this.#advance();
  }

  /** Takes a snapshot's player state. Gives the prediction for its tick, if there was one. */
  reconcile({ tick, playerState, entities }) {
    const predicted = this.#states.get(tick);
    this.rocks = [...entities].filter(({ kind }) => kind === 'rock').sort((a, b) => a.id - b.id);
    [this.own, this.tick] = [flat(playerState), tick];
    this.#states.clear();
    for (const at of this.#samples.keys()) if (at <= tick) this.#samples.delete(at);
    this.#advance();
    return predicted;
  }

  #advance() {
    while (this.own && this.#samples.has(this.tick + 1)) {
      this.tick += 1;
      this.own = step(this.own, this.#samples.get(this.tick), this.tick, this.rocks);
      this.#states.set(this.tick, this.own);
    }
  }
}

/** The player state in one object, with 0 for timers and a hull that it leaves out. */
export function flat({ life, team, ...rest }) {
  const own = { ...rest, ...life, afloat: life.kind === 'ship', held: team?.held ?? 0 };
  if (own.afloat) for (const timer of TIMERS) own[timer] ??= 0;
  [own.spent, own.mine] = [life.tools?.spent ?? 0, life.tools?.mine ?? 0];
  return own;
}

/** The state one tick later. */
export function step(before, sample, tick, rocks) {
  const own = { ...before };
  if (!own.afloat) return { ...own, respawn: Math.max(own.respawn - 1, 0) };
  if (own.held > 0) {
    own.held -= 1;
    turn(own, sample);
    return own;
  }
  for (const timer of ['cooldown', 'rail', 'contact', 'rapid', 'protection', 'mine', 'unrest']) own[timer] = Math.max(own[timer] - 1, 0);
  own.shield = Math.max(own.shield - SHIELD_DECAY, 0);
  if (own.unrest === 0) own.hull = Math.min(own.hull + REGEN, HULL_MAX);
  turn(own, sample);
  burn(own, sample);
  const depth = f(length(own.x, own.y) - radiusAt(own.border, tick));
  if (depth > 0) pullBack(own, depth);
  const start = { x: own.x, y: own.y };
  own.x = f(own.x + f(own.vx * DT));
  own.y = f(own.y + f(own.vy * DT));
  rocks.filter((rock) => inReach(rock, start)).forEach((rock) => bounce(own, rock));
  if (own.hull > 0 && depth > DAMAGE_DEPTH) hurt(own, DEPTH_DAMAGE);
  if (own.hull === 0) return { ...own, afloat: false };
  if (sample.buttons & BUTTONS.cannon && own.cooldown === 0) {
    [own.cooldown, own.protection] = [own.rapid > 0 ? COOLDOWN_RAPID : COOLDOWN, 0];
  }
  if (sample.buttons & BUTTONS.rail && own.rail === 0) [own.rail, own.protection] = [RAIL_COOLDOWN, 0];
  if (sample.buttons & BUTTONS.mine && own.mine === 0) [own.mine, own.protection] = [MINE_COOLDOWN, 0];
  return own;
}

/** Turns the heading toward the aim, the short way round. */
function turn(own, sample) {
  const way = ((sample.aim - own.heading) << 16) >> 16; // as a signed number of 16 bits
  own.heading = (own.heading + Math.min(Math.max(way, -TURN), TURN)) & 65535;
}

function burn(own, { buttons }) {
  const [cos, sin] = direction(own.heading);
  let [px, py] = [0, 0];
  const push = (x, y, power) => ([px, py] = [f(px + f(x * power)), f(py + f(y * power))]);
  if (buttons & BUTTONS.engine) push(cos, sin, THRUST);
  if (buttons & BUTTONS.reverse) push(cos, sin, -REVERSE);
  if (buttons & BUTTONS.right) push(-sin, cos, STRAFE);
  if (buttons & BUTTONS.left) push(-sin, cos, -STRAFE);
  const pressed = (buttons & BUTTONS.boost) !== 0;
  const boosts = pressed && own.spent + BOOST_USE <= BOOST_MAX;
  if (boosts) push(cos, sin, BOOST);
  own.spent = boosts ? own.spent + BOOST_USE : Math.max(own.spent - (pressed ? 0 : 1), 0);
  own.vx = f(f(own.vx + f(px * DT)) * KEPT);
  own.vy = f(f(own.vy + f(py * DT)) * KEPT);
  const speed = length(own.vx, own.vy);
  const top = boosts ? SPEED_BOOST : SPEED_MAX;
  if (speed > top) {
    const share = Math.max(f(top / speed), SPEED_EASE);
    [own.vx, own.vy] = [f(own.vx * share), f(own.vy * share)];
  }
}

/** The border pulls a ship outside it toward the middle. */
function pullBack(own, depth) {
  const pull = f(Math.min(f(depth * PULL), PULL_MAX) * DT);
  const [x, y] = unit(own.x, own.y, [0, 0]);
  own.vx = f(own.vx - f(x * pull));
  own.vy = f(own.vy - f(y * pull));
}

function radiusAt({ from, change }, tick) {
  if (change === null) return from;
  const { to, since, ticks } = change;
  const passed = Math.max(tick - since, 0);
  if (passed >= ticks) return to;
  return f(from + f((to - from) * f(passed / ticks)));
}

function inReach(rock, { x, y }) {
  const reach = rock.radius + SHIP_RADIUS + ROCK_REACH;
  return squared(f(x - rock.x), f(y - rock.y)) < reach * reach;
}

function bounce(own, rock) {
  const [ox, oy] = [f(own.x - rock.x), f(own.y - rock.y)];
  const touching = rock.radius + SHIP_RADIUS;
  if (squared(ox, oy) >= touching * touching) return;
  const [nx, ny] = unit(ox, oy, [1, 0]);
  own.x = f(rock.x + f(nx * touching));
  own.y = f(rock.y + f(ny * touching));
  const speedIn = -f(f(own.vx * nx) + f(own.vy * ny));
  if (speedIn <= 0) return;
  const change = f(speedIn * f(1 + BOUNCE));
  own.vx = f(own.vx + f(nx * change));
  own.vy = f(own.vy + f(ny * change));
  if (speedIn > IMPACT_FREE) hurt(own, Math.trunc(f(f(speedIn - IMPACT_FREE) * IMPACT_DAMAGE)));
}

function hurt(own, damage) {
  if (own.protection > 0) return;
  own.unrest = CALM;
  const offShield = Math.min(damage, own.shield);
  own.shield -= offShield;
  own.hull -= Math.min(damage - offShield, own.hull);
}

const squared = (x, y) => f(f(x * x) + f(y * y));
const length = (x, y) => f(Math.sqrt(squared(x, y)));
const unit = (x, y, otherwise) => {
  const share = f(1 / length(x, y));
  return Number.isFinite(share) && share > 0 ? [f(x * share), f(y * share)] : otherwise;
};

/** Cosine and sine of a heading: polynomials in double precision around the nearest quarter turn, rounded once. */
export function direction(heading) {
  const radians = f(heading * TURN_TO_RADIANS);
  const quarter = (heading + 8192) >> 14;
  const rest = quarter === 1 ? Math.PI / 2 - radians : radians - quarter * (Math.PI / 2);
  const [sin, cos] = [sinNear(rest), cosNear(rest)];
  return [[cos, sin], [sin, cos], [-cos, -sin], [sin, -cos], [cos, sin]][quarter];
}

function sinNear(x) {
  const z = x * x;
  const s = z * x;
  const r = -0.000198393348360966317347 + z * 0.0000027183114939898219064;
  return f(x + s * (-0.166666666416265235595 + z * 0.0083333293858894631756) + s * (z * z) * r);
}

function cosNear(x) {
  const z = x * x;
  const w = z * z;
  const r = -0.00138867637746099294692 + z * 0.0000243904487962774090654;
  return f(1 + z * -0.499999997251031003120 + w * 0.0416666233237390631894 + w * z * r);
}
