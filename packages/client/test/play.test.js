// Playing every game on a server of its own: seats, inputs, snapshots, spectating, resuming a session.

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { GAMES, TestClient, greeted, seated, startServer, until } from './harness.js';

const timeout = 30_000;

for (const game of GAMES) {
  suite(game.name, () => {
    let server;
    before(async () => (server = await startServer(game, ...game.quiet)));
    after(() => server.end());
    const own = (client) => game.own(client.world, client.joined);

    test('the schema names the game', async () => {
      assert.equal(server.schema.game, game.name);
      const described = [server.schema.input, server.schema.player_state, server.schema.event, server.schema.request, server.schema.room_state];
      assert.ok(described.every(({ layout }) => layout !== null), JSON.stringify(described));
    });

    test('hello, ping, join: a seat, and inputs that move what is ours', { timeout }, async () => {
      const ann = await greeted(server);
      assert.equal(ann.welcome.revision, server.schema.revision);
      assert.match(ann.welcome.server, /^broadside /);
      assert.equal(ann.welcome.token.signature.length, 16);
      const [first, second] = [await ann.ping(), await ann.ping()];
      assert.ok(second.server_time > first.server_time && first.rttMs < 5000);
      assert.ok(Math.abs(ann.clock.now - second.server_time / 1000) < 5000);
      ann.join('Ann');
      const joined = await ann.next('joined');
      assert.deepEqual([joined.mode, joined.role, joined.tick_hz], [server.schema.modeNames[0], 'play', server.schema.tick_hz]);
      assert.ok(joined.tick_zero <= second.server_time + 10_000_000);

      const from = await until(ann, () => own(ann));
      ann.on('snapshot', ({ tick }) => (ann.input = game.input(tick)));
      const moved = () => Math.hypot(own(ann)?.x - from.x, own(ann)?.y - from.y);
      await until(ann, () => moved() > 30);
      assert.ok(ann.world.head.consumed > joined.snapshot_every, 'our inputs were used');
      await until(ann, () => ann.world.names.get(joined.player) === 'Ann');
      ann.leave();
      await until(ann, () => ann.closed);
      assert.deepEqual(ann.ended, { code: 1000, reason: 'bye' });
    });

    test('deltas add up to the state that a newcomer receives in full', { timeout }, async (context) => {
      const lively = await startServer(game, ...game.busy);
      context.after(() => lively.end());
      const veteran = await seated(lively, 'Bob');
      veteran.on('snapshot', ({ tick }) => (veteran.input = game.input(tick)));
      await until(veteran, () => veteran.snapshots > 40);
      // Snapshots of a busy room are spread over the ticks by player number: some of several spectators get theirs on the veteran's.
      const room = { kind: 'room', room: veteran.joined.room };
      const spectators = await Promise.all([1, 2, 3, 4].map(() => seated(lively, 'Wat', room, 'spectate')));
      const { player } = veteran.joined;
      for (const spectator of spectators) {
        assert.equal(spectator.joined.role, 'spectate');
        assert.deepEqual(await spectator.request({ kind: 'follow', player }), { kind: 'done' });
        await spectator.next('serverNotice', ({ notice }) => notice.kind === 'following' && notice.player === player);
        assert.equal(spectator.world.playerState, null);
      }
      const seen = new Map(); // by tick and cell, from whichever client came first
      const compared = { cells: 0, entities: 0 };
      const compare = ({ tick, cells }) => {
        for (const [number, { tick: asOf, records }] of cells) {
          if (asOf !== tick) continue;
          const before = seen.get(`${tick} ${number}`);
          seen.set(`${tick} ${number}`, records);
          if (!before) continue;
          assert.deepEqual(records, before, `cell ${number} at tick ${tick}`);
          compared.cells += 1;
          compared.entities += records.length;
        }
      };
      [veteran, ...spectators].forEach((client) => client.on('snapshot', compare));
      await until([veteran, ...spectators], () => compared.cells > 300 && compared.entities > 600);
      // The server sends at most 16 snapshots without an acknowledgement: more mean that the spectators' acks arrive.
      await until(spectators, () => spectators.every(({ snapshots }) => snapshots > 60));
      assert.equal(await veteran.refusal({ kind: 'follow', player: 0 }), 'notAllowed', 'a player cannot follow');
      assert.equal(await spectators[0].refusal({ kind: 'follow', player: 8000 }), 'noSuchPlayer');
      [veteran, ...spectators].forEach((client) => client.leave());
    });

    test('a lost connection resumes with the cells it still knows', { timeout }, async () => {
      const fay = await seated(server, 'Fay');
      const gil = await seated(server, 'Gil', { kind: 'room', room: fay.joined.room });
      const { player, room } = fay.joined;
      await fay.request({ kind: 'subscribe', topic: 'lobby/chat' });
      await until([fay, gil], () => gil.world.names.get(player) === 'Fay' && fay.snapshots > 10);
      fay.drop();
      await until(gil, () => gil.world.away.has(player));
      const [known, had] = [fay.world.tick, fay.world.cells];

      const back = new TestClient(server, { former: fay });
      const welcome = await back.next('welcome');
      assert.deepEqual(welcome.token, fay.welcome.token);
      const joined = await back.next('joined');
      assert.deepEqual([joined.player, joined.room], [player, room], 'the same seat, without a join');
      await until(back, () => back.world.tick > known + 10);
      assert.ok([...had.keys()].every((number) => back.world.cells.has(number)), 'known cells are kept');
      assert.ok(own(back), 'and the own entity is in them');
      assert.equal(back.world.names.get(player), 'Fay', 'names are kept');
      await until(gil, () => !gil.world.away.has(player));
      await gil.request({ kind: 'say', topic: 'lobby/chat', text: 'you are back' });
      assert.equal((await back.next('published')).publication.text, 'you are back', 'subscriptions come back with the seat');

      // Another connection with the same token takes the seat over, with an empty world.
      const tab = await greeted(server);
      tab.drop();
      const other = new TestClient(server, { former: { world: tab.world, welcome } });
      assert.equal((await other.next('welcome')).kind, 'welcome');
      assert.equal((await other.next('joined')).player, player);
      await until(back, () => back.closed);
      assert.deepEqual(back.ended, { code: 4011, reason: 'taken over by another connection' });
      assert.equal(back.closed.reconnect, false, 'or two tabs would take the seat from each other');
      await until(other, () => other.snapshots > 5 && own(other));
      await until(other, () => other.world.names.get(player) === 'Fay');

      // A token with a wrong signature counts as none.
      const signature = Uint8Array.from(welcome.token.signature, (byte) => byte ^ 1);
      const forger = new TestClient(server, { former: { world: tab.world, welcome: { token: { ...welcome.token, signature } } } });
      const fresh = await forger.next('welcome');
      assert.equal(fresh.resumed, false);
      assert.notDeepEqual(fresh.token, welcome.token);
      [other, gil, forger].forEach((client) => client.leave());
    });
  });
}
