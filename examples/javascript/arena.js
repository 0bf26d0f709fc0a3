// The arena's part of an input: what the buttons mean, and the aim.

export const BUTTONS = { engine: 1, reverse: 2, left: 4, right: 8, cannon: 16, rail: 32, boost: 64, mine: 128 };

/** Converts an aim from radians, from +x toward +y, to the wire's unit, 1/65536 turn. */
export const aimOf = (radians) => Math.round((radians / (2 * Math.PI)) * 65536) & 65535;
