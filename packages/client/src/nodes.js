// Which node of a cluster to connect to, and after which pause: "Clusters" in section 11 of docs/PROTOCOL.md.

const FIRST_MS = 500; // the longest first pause; doubled from round to round
const LONGEST_MS = 10_000;
const SHORT_MS = [40, 80, 160, 320, 640]; // the longest pauses where another server waits already
const OPEN_MS = 4000; // how long an attempt may take while there are other nodes to try
const REDIRECTS = 3; // how many are followed in a row without a seat
const RESTARTING = 1012;
const URL_BYTES = 200;
const OTHERS = 16;

/** The nodes as one client knows them, from connection to connection. All addresses are those of WebSockets. */
export class Nodes {
  #home;
  #current; // the node that last accepted a connection, or that a redirect named since
  #others = [];
  #open = false;
  #failures = 0; // attempts in a row that did not open, those after short pauses left out
  #redirect = 'none'; // of the present connection: 'none', 'followed', 'ignored' or 'given up'
  #gone = null; // a node that could not be reached when the client was sent there
  #redirects = 0; // followed since the last seat
  #attempts = 0; // since the last success
  #short = null; // the short pauses that are left; null before the first
  #random;

  constructor(home, random = Math.random) {
    this.#home = this.#current = String(home);
    this.#random = random;
  }

  get #inTurn() {
    return [this.#current, ...[this.#home, ...this.#others].filter((url) => url !== this.#current)];
  }

  /** Whose turn it is: the current node is tried twice before the first other one. */
  get #turn() {
    return Math.max(this.#failures - 1, 0) % this.#inTurn.length;
  }

  /** The address to connect to, or that of the open connection. */
  get url() {
    return this.#inTurn[this.#turn];
  }

  /**
   * What a connection to it will be: to the node of the one before ('same'), to another one ('other'), to where a redirect led ('redirected'), or to the
   * node that sent the client to one that is gone ('anew'): what was there is given up.
   */
  get arrival() {
    if (this.url !== this.#current) return 'other';
    return { followed: 'redirected', 'given up': 'anew' }[this.#redirect] ?? 'same';
  }

  /** How long an attempt may take; less while there are nodes that were not tried. */
  get openTimeoutMs() {
    const count = this.#inTurn.length;
    return count > 1 && this.#failures <= count ? OPEN_MS : Infinity;
  }

  handleOpen() {
    this.#current = this.url;
    if (this.#gone === this.#current) this.#gone = null;
    [this.#open, this.#failures, this.#redirect] = [true, 0, 'none'];
  }

  /** In the lobby or in a join queue. */
  handleWaiting() {
    [this.#attempts, this.#short] = [0, null];
  }

  handleSeated() {
    this.handleWaiting();
    this.#redirects = 0;
  }

  /** The server has listed the other nodes; what is no address is left out. */
  handleNodes(urls) {
    const sockets = urls.slice(0, OTHERS).filter((url) => !this.#objection(url)).map(socketOf);
    this.#others = [...new Set(sockets)].filter((url) => url !== this.#home);
  }

  /** The server has sent the client to another node. Gives null, or why the client does not go there. */
  handleRedirect(url) {
    this.#redirect = 'ignored';
    const objection = this.#objection(url);
    if (objection) return objection;
    if (socketOf(url) === this.#gone) {
      this.#redirect = 'given up';
      return 'it could not be reached when this client was last sent there: what was there is given up';
    }
    if (this.#redirects === REDIRECTS) {
      this.#redirects = 0; // after the pause that follows they may have come to agree
      return `${REDIRECTS} redirects in a row led to no seat`;
    }
    this.#redirects += 1;
    [this.#current, this.#failures, this.#redirect] = [socketOf(url), 0, 'followed'];
    return null;
  }

  /** The connection has ended with this code, or the attempt has failed. Gives the pause before the next attempt, in milliseconds. */
  handleEnd(code) {
    if (this.#open) return this.#pauseAfterOpen(code);
    const short = this.#shortPause();
    if (short !== null) return short;
    this.#failures += 1;
    if (this.#redirect === 'followed' && this.#turn > 0) this.#gone = this.#current;
    const isRoundOver = this.#turn === 0 && (this.#failures > 1 || this.#inTurn.length === 1);
    if (!isRoundOver) this.#attempts = Math.max(this.#attempts - 1, 0);
    return this.#nextPause();
  }

  #pauseAfterOpen(code) {
    this.#open = false;
    const isSuccessor = this.#redirect === 'none' && code === RESTARTING;
    const isFresh = this.#attempts === 0 && this.#short === null;
    const goesOn = this.#redirect === 'followed' || this.#redirect === 'given up';
    if (goesOn || (isSuccessor && isFresh)) this.#short = SHORT_MS;
    const short = goesOn || isSuccessor ? this.#shortPause() : null;
    if (this.#redirect === 'ignored') this.#redirect = 'none';
    return short ?? this.#nextPause();
  }

  #shortPause() {
    const [longest = null, ...left] = this.#short ?? [];
    if (longest === null) return null;
    this.#short = left;
    return Math.floor(this.#random() * longest);
  }

  #nextPause() {
    this.#short = [];
    const longest = Math.min(FIRST_MS * 2 ** Math.min(this.#attempts, 10), LONGEST_MS);
    this.#attempts += 1;
    return longest * (0.5 + 0.5 * this.#random());
  }

  /** Why the client may not connect to the node with this address; null if it may. */
  #objection(url) {
    if (new TextEncoder().encode(url).length > URL_BYTES) return `it is longer than ${URL_BYTES} bytes`;
    if (!/^wss?:\/\/[^/:][!-~]*$/.test(url) || /[?#@\\]/.test(url)) return 'it is not like wss://host:port/path';
    if (this.#home.startsWith('wss:') && !url.startsWith('wss:')) return 'it is not encrypted, unlike the address that this client was started with';
    return null;
  }
}

const socketOf = (url) => `${url.replace(/\/+$/, '')}/ws`;
