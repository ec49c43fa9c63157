// Hands on what the microphone hears, in pieces of a twentieth of a second with their peak.

class Meter extends AudioWorkletProcessor {
  #piece = new Float32Array(Math.round(sampleRate / 20));
  #filled = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#piece[this.#filled++] = sample;
      if (this.#filled === this.#piece.length) this.#send();
    }
    return true;
  }

  #send() {
    const samples = this.#piece;
    const peak = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
    this.#piece = new Float32Array(samples.length);
    this.#filled = 0;
    this.port.postMessage({ samples, peak }, [samples.buffer]);
  }
}

registerProcessor("meter", Meter);
