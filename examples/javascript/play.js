// A player that flies in circles and fires: node play.js ws://localhost:8080/ws Ann

import { connect } from '@broadside/client';
import { WebSocket } from 'ws';
import { BUTTONS, aimOf } from './arena.js';

const [url = 'ws://localhost:8080/ws', name = 'Example'] = process.argv.slice(2);
const client = await connect(url, { open: (at, protocol) => new WebSocket(at, protocol) });

client.on('message', (message) => {
  if (message.kind === 'welcome') client.join(name);
  if (message.kind === 'joined') client.request({ kind: 'subscribe', topic: `room/${message.room}/chat` });
  if (message.kind === 'published') console.log(`${message.publication.from}: ${message.publication.text}`);
  if (message.kind === 'queued') console.log(`in the join queue, at position ${message.position}`);
});
client.on('snapshot', ({ tick, playerState, board }) => {
  client.input = { aim: aimOf(tick / 120), buttons: BUTTONS.engine | BUTTONS.cannon };
  if (tick % 60 > 1 || !playerState) return;
  const ships = [...client.world.entities()].filter(({ kind }) => kind.startsWith('ship')).length;
  const { life, x, y, score } = playerState;
  const where = life.kind === 'ship' ? `at ${x.toFixed(0)}, ${y.toFixed(0)}` : 'sunk';
  console.log(`tick ${tick}: ${where}, score ${score}; ${ships} ships in view, ${board.players} players`);
});
client.on('failed', (error) => console.error(error.message));
client.on('close', ({ code, advice }) => console.log(`closed with ${code}: ${advice}`));
process.on('SIGINT', () => client.leave());
