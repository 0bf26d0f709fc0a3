// A client of Broadside. Written from docs/PROTOCOL.md alone; shares no code with the server or with its page.
//
// | file | what it does | section |
// |---|---|---|
// | wire.js | the two encodings of numbers | 4 |
// | layout.js, schema.js | the game, as the server describes it | 15 |
// | messages.js | control messages and room updates, in one table for both directions | 6, 8 |
// | world.js | snapshots and the client's copy of the world | 8 |
// | input.js | input packets | 7 |
// | client.js | the socket, hello, join, requests, inputs, resuming a session | 2, 3, 5, 7, 11 |
// | nodes.js | which server of a cluster to connect to, and when | 11 |
// | server_clock.js | the server's clock | 6 |

export { Client, connect, reconnect } from './client.js';
export { decodeInput, encodeInput } from './input.js';
export { Nodes } from './nodes.js';
export { REVISION, Schema } from './schema.js';
export { BitReader, BitWriter, ByteReader, ByteWriter, WireError } from './wire.js';
export { World } from './world.js';
