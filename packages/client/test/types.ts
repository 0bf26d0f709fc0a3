// Compiled, never run: what an author of a game in TypeScript may write, and what the types refuse.

import { Client, connect, reconnect, type World } from '@broadside/client';

interface Dots {
  input: { turn: number; go: boolean };
  playerState: { x: number; y: number };
  event: { kind: 'collected'; by: number } | { kind: 'spoiled' };
  request: { kind: 'buy'; item: number };
}

export async function play(): Promise<number> {
  const client: Client<Dots> = await connect<Dots>('wss://example.org/ws', { agent: 'dots 1' });
  client.input = { turn: 1, go: true };
  // @ts-expect-error: an input has every field
  client.input = { turn: 1 };
  client.join('Ann', { kind: 'mode', mode: 'duel' });
  // @ts-expect-error: there is no such role
  client.join('Ann', { kind: 'quick' }, 'referee');
  client.on('message', (message) => {
    if (message.kind === 'published' && message.publication.kind === 'said') console.log(message.publication.text);
    // @ts-expect-error: no message has this kind
    if (message.kind === 'shouted') return;
  });
  client.on('events', (events) => events.forEach(({ event }) => event.kind === 'collected' && console.log(event.by)));
  client.on('close', async ({ reconnect: again, pauseMs }) => {
    if (!again || pauseMs > 5000) return;
    const next: Client<Dots> = await reconnect(client, { accountToken: null });
    // @ts-expect-error: the input is that of the same game
    next.input = { aim: 3 };
  });
  const outcome = await client.requestGame({ kind: 'buy', item: 3 });
  if (outcome.kind === 'refused' && outcome.why.kind === 'byGame') console.log(client.schema.refusals[outcome.why.reason]);
  const world: World<Dots> = client.world;
  // Without a type of yours, the parts of a game are `any`.
  const anyGame = await connect('wss://example.org/ws');
  anyGame.input = { aim: 3 };
  return (world.playerState?.x ?? 0) + [...world.entities()].length + anyGame.world.roomState.left;
}
