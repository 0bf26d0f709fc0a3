// The server's clock: section 6 of docs/PROTOCOL.md.

const KEPT = 8;

/** Estimates the server's clock from the pongs with the shortest round trips. */
export class ServerClock {
  #measured = []; // the newest: `{ rttMs, aheadMs }`, the server's clock less this one

  /** Takes a pong that arrived at `now`, by `performance.now()`. */
  take({ client_time: sentUs, server_time: serverUs }, now) {
    const rttMs = now - sentUs / 1000;
    this.#measured.push({ rttMs, aheadMs: serverUs / 1000 + rttMs / 2 - now });
    if (this.#measured.length > KEPT) this.#measured.shift();
  }

  /** The shortest round trip of late, in milliseconds; null before the first pong. */
  get rttMs() {
    return this.#best()?.rttMs ?? null;
  }

  /** The server's clock now, in milliseconds; null before the first pong. */
  get now() {
    const best = this.#best();
    return best ? performance.now() + best.aheadMs : null;
  }

  #best() {
    return this.#measured.reduce((best, measured) => (best && best.rttMs <= measured.rttMs ? best : measured), null);
  }
}
