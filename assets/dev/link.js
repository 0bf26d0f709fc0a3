// A WebSocket to this server with the game's own client behind it, for pages that show every frame. The WebAssembly module decodes the
// frames; this script knows nothing of the protocol.

/// The game's own client; set by the first `openLink`.
let Wire;

/// Longest time between two checks while the page is awake.
const AWAKE_MS = 1000;

/// Bytes of a frame's header (RFC 6455). A client masks what it sends, which takes four more.
const headerBytes = (length, up) => 2 + (length > 65535 ? 8 : length > 125 ? 2 : 0) + (up ? 4 : 0);

/// Connects, reconnects after a pause when the connection is lost, and shows its status in the element `where`. Calls
/// `seen({up, bytes, wire, decoded, at})` for every frame, `ready()` when a connection was welcomed, and `failed(text)` when a request was
/// refused or not answered.
export async function openLink({ name, where, seen, ready, failed }) {
  ({ Wire } = await window.broadside.load("dev/decoder", "@build@", "dev/link.js"));
  const link = { wire: null, socket: null, opened: 0, pause: 500, ready: false };
  /// Pending requests by their number.
  const pending = new Map();
  let receivedAt = 0;
  let checkedAt = 0;

  const settle = (id, outcome) => {
    const what = JSON.stringify(pending.get(id));
    if (!pending.delete(id) || outcome === "Done") return;
    failed(outcome ? `refused: ${what} because ${JSON.stringify(outcome.Refused)}` : `no answer to ${what}`);
  };

  const flush = () => {
    for (let frame; link.socket?.readyState === WebSocket.OPEN && (frame = link.wire.next_frame()); ) {
      link.socket.send(frame);
      report(frame, true, (bytes) => link.wire.describeSent(bytes));
    }
  };

  const report = (frame, up, decode) => {
    let decoded;
    try {
      decoded = JSON.parse(decode(frame));
    } catch (wrong) {
      decoded = { kind: "not understood", msg: String(wrong) };
    }
    const { Request, Reply } = decoded.msg ?? {};
    if (Request) pending.set(Request.id, Request.request);
    for (const reply of [Reply, ...(decoded.room_updates ?? []).map((update) => update.Message?.Reply)]) {
      if (reply) settle(reply.id, reply.outcome);
    }
    seen({ up, bytes: frame, wire: headerBytes(frame.length, up) + frame.length, decoded, at: performance.now() });
  };

  /// Milliseconds without a frame. A tab in the background sleeps for up to a minute at a time; only the time it was awake counts.
  const silence = () => {
    const now = performance.now();
    receivedAt += Math.max(0, now - checkedAt - AWAKE_MS);
    checkedAt = now;
    return now - receivedAt;
  };

  const connect = () => {
    // From http to ws, and from https to wss. The query asks the server to keep the handshake for display.
    const socket = new WebSocket(beside("ws?wire=1").href.replace(/^http/, "ws"), Wire.subprotocol());
    socket.binaryType = "arraybuffer";
    link.socket = socket;
    receivedAt = checkedAt = performance.now();
    where.textContent = "connecting";
    socket.onopen = () => {
      link.opened += 1;
      link.wire = new Wire(name);
      link.wire.open();
      flush();
    };
    socket.onmessage = ({ data }) => {
      silence();
      receivedAt = checkedAt;
      report(new Uint8Array(data), false, (bytes) => link.wire.received(bytes));
      if (!link.ready && link.wire.welcomed()) {
        link.ready = true;
        link.pause = 500;
        where.textContent = "connected";
        ready();
      }
      flush();
    };
    socket.onclose = ({ code, reason }) => end(`${Wire.advice(code)} (${code}${reason && ` ${reason}`})`, Wire.reconnects(code));
  };

  const end = (why, reconnects) => {
    // A dead connection would report its close only much later.
    link.socket.onopen = link.socket.onmessage = link.socket.onclose = null;
    link.socket.close();
    link.socket = null;
    link.ready = false;
    [...pending.keys()].forEach((id) => settle(id));
    if (reconnects) {
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
  setInterval(() => {
    if (!link.socket) return;
    if (silence() > Wire.silence_ms()) {
      end(`No frame has arrived for ${Wire.silence_ms() / 1000} s.`, true);
    } else if (link.socket.readyState === WebSocket.OPEN) {
      link.wire.advance().forEach((id) => settle(id));
      flush();
    }
  }, 50);
  link.flush = flush;
  return link;
}

/// The address of a path on this server, below whatever path a proxy serves it at: this script is one folder deeper.
export const beside = (path) => new URL(`../${path}`, import.meta.url);

/// A new element with a class and a text, which is never markup.
export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
