// Samples as files and as outlines.

/** Samples a second of what the library decodes. */
export const RATE = 16_000;

/** A mono WAV of 32 bit floats, so that nothing is rounded. */
export function wav(samples, rate) {
  const bytes = new Uint8Array(44 + 4 * samples.length);
  const view = new DataView(bytes.buffer);
  const word = (at, text) => [...text].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 4 * rate, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 32, true);
  word(36, "data");
  view.setUint32(40, 4 * samples.length, true);
  new Float32Array(bytes.buffer, 44).set(samples);
  return bytes;
}

/** The lowest and the highest sample of each of `columns` parts, over the loudest of all. */
export function outline(samples, columns) {
  const parts = [];
  let loudest = 1e-9;
  for (let column = 0; column < columns; column++) {
    const [from, to] = [column, column + 1].map((edge) => Math.floor((edge * samples.length) / columns));
    let [low, high] = [0, 0];
    for (let place = from; place < Math.max(to, from + 1) && place < samples.length; place++) {
      low = Math.min(low, samples[place]);
      high = Math.max(high, samples[place]);
    }
    loudest = Math.max(loudest, high, -low);
    parts.push([low, high]);
  }
  return parts.map(([low, high]) => [low / loudest, high / loudest]);
}
