// A player that flies in circles and fires: node play.js ws://localhost:8080/ws Ann

import { BUTTONS } from './arena.js';
import { Client } from './client.js';

const [url = 'ws://localhost:8080/ws', name = 'Example'] = process.argv.slice(2);
const client = new Client(url);

client.on('message', (message) => {
  if (message.kind === 'welcome') client.join(name);
  if (message.kind === 'joined') client.request({ kind: 'subscribe', topic: `room/${message.room}/chat` });
  if (message.kind === 'published') console.log(`${message.publication.from}: ${message.publication.text}`);
  if (message.kind === 'queued') console.log(`in the join queue, at position ${message.position}`);
});
client.on('snapshot', ({ tick, playerState, board }) => {
  client.sample = { aim: (tick / 120) % (2 * Math.PI), buttons: BUTTONS.engine | BUTTONS.cannon };
  if (tick % 60 > 1 || !playerState) return;
  const ships = [...client.world.entities()].filter(({ kind }) => kind === 'ship').length;
  const { afloat, x, y, score } = playerState;
  const where = afloat ? `at ${x.toFixed(0)}, ${y.toFixed(0)}` : 'sunk';
  console.log(`tick ${tick}: ${where}, score ${score}; ${ships} ships in view, ${board.players} players`);
});
client.on('failed', (error) => console.error(error.message));
client.on('close', ({ code, reason }) => console.log(`closed: ${code} ${reason}`));
process.on('SIGINT', () => client.leave());
