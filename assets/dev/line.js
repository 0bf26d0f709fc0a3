// A WebSocket to this server with the game's own client behind it, for pages that look at every frame. What a frame means is decided
// by the WebAssembly module; nothing of the protocol is written down here.

/// The game's own client; there once a line was opened.
let Wire;

/// Longest time between two looks for a page that is awake.
const AWAKE_MS = 1000;

/// Bytes of a frame's header (RFC 6455): what a client sends is masked, which takes four more.
const headerBytes = (length, up) => 2 + (length > 65535 ? 8 : length > 125 ? 2 : 0) + (up ? 4 : 0);

/// Connects, and again after a pause when the connection is lost, and says in the element `where` how that stands. Calls
/// `seen({up, bytes, wire, told, at})` for every frame, `ready()` when a connection was welcomed, and `failed(text)` when a request was
/// refused or not answered.
export async function openLine({ name, where, seen, ready, failed }) {
  ({ Wire } = await window.broadside.load("dev/broadside_wire_wasm", "@build@", "dev/line.js"));
  const line = { wire: null, socket: null, opened: 0, pause: 500, ready: false };
  /// What requests were about, by their number, until they are answered.
  const asked = new Map();
  let heardAt = 0;
  let lookedAt = 0;

  const settle = (id, outcome) => {
    const what = JSON.stringify(asked.get(id));
    if (!asked.delete(id) || outcome === "Done") return;
    failed(outcome ? `refused: ${what} because ${JSON.stringify(outcome.Refused)}` : `no answer to ${what}`);
  };

  const flush = () => {
    for (let frame; line.socket?.readyState === WebSocket.OPEN && (frame = line.wire.next_frame()); ) {
      line.socket.send(frame);
      note(frame, true, (bytes) => line.wire.said(bytes));
    }
  };

  const note = (frame, up, decode) => {
    let told;
    try {
      told = JSON.parse(decode(frame));
    } catch (wrong) {
      told = { kind: "not understood", msg: String(wrong) };
    }
    const { Request, Reply } = told.msg ?? {};
    if (Request) asked.set(Request.id, Request.request);
    for (const reply of [Reply, ...(told.said ?? []).map((said) => said.Message?.Reply)]) {
      if (reply) settle(reply.id, reply.outcome);
    }
    seen({ up, bytes: frame, wire: headerBytes(frame.length, up) + frame.length, told, at: performance.now() });
  };

  /// Milliseconds since something was heard. A tab in the background sleeps for up to a minute at a time, and hears of silence only
  /// what it was awake for.
  const silence = () => {
    const now = performance.now();
    heardAt += Math.max(0, now - lookedAt - AWAKE_MS);
    lookedAt = now;
    return now - heardAt;
  };

  const connect = () => {
    // From http to ws, and from https to wss. The query asks the server to keep the handshake, so that it can be shown.
    const socket = new WebSocket(beside("ws?wire=1").href.replace(/^http/, "ws"), Wire.subprotocol());
    socket.binaryType = "arraybuffer";
    line.socket = socket;
    heardAt = lookedAt = performance.now();
    where.textContent = "connecting";
    socket.onopen = () => {
      line.opened += 1;
      line.wire = new Wire(name);
      line.wire.open();
      flush();
    };
    socket.onmessage = ({ data }) => {
      silence();
      heardAt = lookedAt;
      note(new Uint8Array(data), false, (bytes) => line.wire.heard(bytes));
      if (!line.ready && line.wire.welcomed()) {
        line.ready = true;
        line.pause = 500;
        where.textContent = "connected";
        ready();
      }
      flush();
    };
    socket.onclose = ({ code, reason }) => end(`${Wire.advice(code)} (${code}${reason && ` ${reason}`})`, Wire.comes_back(code));
  };

  const end = (why, comesBack) => {
    // A line that is dead would tell of its end only much later.
    line.socket.onopen = line.socket.onmessage = line.socket.onclose = null;
    line.socket.close();
    line.socket = null;
    line.ready = false;
    [...asked.keys()].forEach((id) => settle(id));
    if (comesBack) {
      const pause = line.pause * (0.5 + Math.random() / 2);
      line.pause = Math.min(line.pause * 2, 10000);
      setTimeout(connect, pause);
      where.textContent = `${why} Again in ${Math.ceil(pause / 1000)} s.`;
    } else {
      const again = make("button", "", "Connect again");
      again.type = "button";
      again.addEventListener("click", connect);
      where.replaceChildren(`${why} `, again);
    }
  };

  connect();
  setInterval(() => {
    if (!line.socket) return;
    if (silence() > Wire.silence_ms()) {
      end(`Nothing was heard for ${Wire.silence_ms() / 1000} s.`, true);
    } else if (line.socket.readyState === WebSocket.OPEN) {
      line.wire.advance().forEach((id) => settle(id));
      flush();
    }
  }, 50);
  line.flush = flush;
  return line;
}

/// The address of a path on this server, wherever on its host a proxy serves it: this script is one folder deeper.
export const beside = (path) => new URL(`../${path}`, import.meta.url);

/// A new element with a class and a text, which is never markup.
export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
