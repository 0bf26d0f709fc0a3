// A client to this server, in every detail, for the pages for developers: @broadside/client, which knows the game from the server's schema.

/// Bytes of a frame's header (RFC 6455). A client masks what it sends, which takes four more.
const headerBytes = (length, up) => 2 + (length > 65535 ? 8 : length > 125 ? 2 : 0) + (up ? 4 : 0);

/// Connects, reconnects after a pause when the connection is lost, and shows its status in the element `where`. Calls
/// `seen({up, bytes, wire, decoded, at})` for every frame, `ready()` when a connection was welcomed, and `failed(text)` when a request was
/// refused or not answered.
export async function openLink({ name, where, seen, ready, failed }) {
  const { Client, Schema, WireError } = await window.broadside.load("dev/client/index", "@build@", "dev/link.js");
  const link = { client: null, opened: 0, pause: 500, ready: false };
  // From http to ws, and from https to wss. The query asks the server to keep the handshake for display.
  const url = beside("ws?wire=1").href.replace(/^http/, "ws");

  /// Sends a request, and reports it unless it succeeds.
  link.request = async (request) => {
    const outcome = await link.client.request(request);
    if (outcome.kind === "refused") failed(`refused: ${textOf(request)} because ${textOf(outcome.why)}`);
    if (outcome.kind === "lost") failed(`no answer to ${textOf(request)}`);
  };

  link.join = (room, role) => link.client.join(name, room, role);

  /// Time since a moment of the server's clock in microseconds, in milliseconds; null before the first pong.
  link.ageMs = (atUs) => (link.client?.clock.now == null ? null : link.client.clock.now - atUs / 1000);

  const connect = async () => {
    where.textContent = "connecting";
    try {
      // The server may be another one by now.
      start(new Client(url, { schema: await Schema.fetch(url), agent: `${name} page` }));
    } catch (wrong) {
      const reconnect = !(wrong instanceof WireError);
      end({ advice: reconnect ? "The connection was lost: the server does not answer." : `${wrong.message}.`, reconnect });
    }
  };

  const start = (client) => {
    link.client = client;
    client.on("frame", ({ up, frame, ...decoded }) => {
      if (decoded.message?.kind === "hello") link.opened += 1;
      if (decoded.kind === "snapshot") Object.assign(decoded, inView(client.world));
      seen({ up, bytes: frame, wire: headerBytes(frame.length, up) + frame.length, decoded, at: performance.now() });
    });
    client.on("message", ({ kind }) => {
      if (kind !== "welcome") return;
      link.ready = true;
      link.pause = 500;
      where.textContent = "connected";
      link.request({ kind: "setName", name });
      ready();
    });
    client.on("failed", (error) => failed(error.message));
    client.on("close", end);
  };

  const end = ({ code, reason, advice, reconnect }) => {
    link.ready = false;
    const why = code ? `${advice} (${code}${reason && ` ${reason}`})` : advice;
    if (reconnect) {
      const pause = link.pause * (0.5 + Math.random() / 2);
      link.pause = Math.min(link.pause * 2, 10000);
      setTimeout(connect, pause);
      where.textContent = `${why} Connecting again in ${Math.ceil(pause / 1000)} s.`;
    } else {
      const again = make("button", "", "Connect again");
      again.type = "button";
      again.addEventListener("click", connect);
      where.replaceChildren(`${why} `, again);
    }
  };

  connect();
  return link;
}

/// What a snapshot left a client with.
function inView({ playerState, cells }) {
  const records = [...cells.values()].reduce((sum, cell) => sum + cell.records.length, 0);
  return { playerState, records, subscribed: cells.size };
}

/// A value as JSON, with the bytes in it in hexadecimal digits.
export function textOf(value, indent) {
  const plain = (_, part) => {
    if (typeof part === "bigint") return String(part);
    if (part instanceof Uint8Array) return [...part].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return part instanceof Map ? [...part] : part;
  };
  return JSON.stringify(value, plain, indent);
}

/// The address of a path on this server, below whatever path a proxy serves it at.
export const beside = (path) => new URL(path, window.broadside.base);

/// A new element with a class and a text, which is never markup.
export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
