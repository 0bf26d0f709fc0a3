/** Calls functions when something happens: the part of Node's EventEmitter that browsers lack. */
export class Emitter {
  #listeners = new Map(); // by kind, in the order in which they were added

  /** Calls `listener` on every event of this kind. */
  on(kind, listener) {
    this.#listeners.set(kind, [...(this.#listeners.get(kind) ?? []), listener]);
    return this;
  }

  off(kind, listener) {
    this.#listeners.set(kind, (this.#listeners.get(kind) ?? []).filter((known) => known !== listener));
    return this;
  }

  emit(kind, value) {
    for (const listener of this.#listeners.get(kind) ?? []) listener(value);
  }
}
