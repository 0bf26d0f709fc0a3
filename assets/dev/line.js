// A WebSocket to this server with the game's own client behind it, for pages that look at every frame. What a frame means is decided
// by the WebAssembly module; nothing of the protocol is written down here.
import init, { Wire } from "/dev/broadside_wire_wasm.js";

/// Bytes of a frame's header (RFC 6455): what a client sends is masked, which takes four more.
const headerBytes = (length, up) => 2 + (length > 65535 ? 8 : length > 125 ? 2 : 0) + (up ? 4 : 0);

/// Connects, and again after a pause when the connection is lost. Calls `seen({up, bytes, wire, told, at})` for every frame and
/// `said(text, ready)` when the state of the line changes.
export async function openLine({ name, seen, said }) {
  await init();
  const line = { wire: null, socket: null, opened: 0, pause: 500, ended: false };

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
    seen({ up, bytes: frame, wire: headerBytes(frame.length, up) + frame.length, told, at: performance.now() });
  };

  const connect = () => {
    line.wire = new Wire(name);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    // The query asks the server to keep the handshake, so that it can be shown.
    const socket = new WebSocket(`${scheme}://${location.host}/ws?wire=1`, Wire.subprotocol());
    socket.binaryType = "arraybuffer";
    line.socket = socket;
    line.opened += 1;
    said("connecting", false);
    let ready = false;
    socket.onopen = () => {
      line.wire.open();
      flush();
    };
    socket.onmessage = ({ data }) => {
      note(new Uint8Array(data), false, (bytes) => line.wire.heard(bytes));
      if (!ready && line.wire.welcomed()) {
        ready = true;
        line.pause = 500;
        said("connected", true);
      }
      flush();
    };
    socket.onclose = ({ code, reason }) => {
      const pause = line.pause * (0.5 + Math.random() / 2);
      line.pause = Math.min(line.pause * 2, 10000);
      said(`closed with ${code}${reason ? ` (${reason})` : ""}; again in ${Math.ceil(pause / 1000)} s`, false);
      if (!line.ended) setTimeout(connect, pause);
    };
  };

  connect();
  setInterval(() => {
    if (line.socket.readyState === WebSocket.OPEN) {
      line.wire.advance();
      flush();
    }
  }, 50);
  line.flush = flush;
  return line;
}

/// A new element with a class and a text, which is never markup.
export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
