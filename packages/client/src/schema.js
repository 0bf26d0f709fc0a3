// The schema of a server: what its game is made of. `GET /api/schema` serves it; section 15 of docs/PROTOCOL.md explains it.

import { codecOfBits, codecOfBytes } from './layout.js';
import { messageCodecs } from './messages.js';
import { WireError } from './wire.js';

/** The revision of the protocol that this client speaks. */
export const REVISION = 4;

/** A server's schema with the codecs that follow from it. */
export class Schema {
  /** @param json what `GET /api/schema` answered */
  constructor(json) {
    if (json.revision !== REVISION) {
      throw new WireError(`the server speaks revision ${json.revision}, this client ${REVISION}: use the client of the server's version`);
    }
    Object.assign(this, json);
    this.modeNames = json.modes.map(({ name }) => name);
    this.codecs = {
      input: codecOfBits('input', json.input),
      playerState: codecOfBits('player state', json.player_state),
      event: codecOfBits('event', json.event),
    };
    const request = codecOfBytes('request', json.request);
    const roomState = codecOfBytes('room state', json.room_state);
    Object.assign(this.codecs, messageCodecs({ modes: this.modeNames, request, roomState }), { roomState });
  }

  /** Fetches the schema of the server whose WebSocket is at `url`, such as `wss://example.org/ws`. */
  static async fetch(url) {
    const address = new URL('api/schema', String(url).replace(/^ws/, 'http'));
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address} answered ${answer.status}: is this the address of a Broadside server?`);
    return new Schema(await answer.json());
  }

  /** What a close code means: `{ code, reason, advice, reconnect }`. Any other code means that the connection was lost. */
  close(code) {
    const lost = { code, reason: '', advice: 'The connection was lost.', reconnect: true };
    return this.close_codes.find((known) => known.code === code) ?? lost;
  }
}
