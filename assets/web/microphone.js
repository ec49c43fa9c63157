// A clip from the microphone, by an AudioWorklet, as it is heard: without the browser's cancelling of echo and noise or its gain.

import { wav } from "./sound.js";

/** Longest clip, in seconds. */
const LONGEST = 300;

/** A recording under way. */
export class Recording {
  #stream;
  #context;
  #chunks = [];
  #samples = 0;

  /**
   * Begins; `onLevel(peak, seconds)` is called some twenty times a second, `onEnd()` when the longest clip is reached or the microphone is gone.
   * Rejects with one line where there is no microphone or it was refused.
   */
  static async begin(onLevel, onEnd) {
    const recording = new Recording();
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      recording.#stream = await navigator.mediaDevices.getUserMedia({ audio });
      recording.#context = new AudioContext();
      await recording.#context.audioWorklet.addModule(new URL("meter.js", import.meta.url));
    } catch (error) {
      await recording.#close();
      throw refused(error);
    }
    const meter = new AudioWorkletNode(recording.#context, "meter", { numberOfInputs: 1, numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    meter.port.addEventListener("message", ({ data: { samples, peak } }) => {
      recording.#chunks.push(samples);
      recording.#samples += samples.length;
      const seconds = recording.#samples / recording.#context.sampleRate;
      onLevel(peak, seconds);
      if (seconds >= LONGEST) onEnd();
    });
    meter.port.start();
    recording.#stream.getAudioTracks()[0].addEventListener("ended", onEnd);
    recording.#context.createMediaStreamSource(recording.#stream).connect(meter);
    await recording.#context.resume();
    return recording;
  }

  /** Ends it: the clip as a WAV at the microphone's rate. */
  async end() {
    const rate = this.#context.sampleRate;
    await this.#close();
    const samples = new Float32Array(this.#samples);
    let at = 0;
    for (const chunk of this.#chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    return wav(samples, rate);
  }

  async #close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    if (this.#context && this.#context.state !== "closed") await this.#context.close();
  }
}

function refused({ name, message }) {
  const [line, remedy] = {
    NotAllowedError: ["the microphone was refused", "Allow it for this page beside the address above and record again, or choose a file."],
    NotFoundError: ["there is no microphone", "Connect one and record again, or choose a file."],
    NotReadableError: ["the microphone cannot be read: another program may have it", "Close that program and record again, or choose a file."],
    SecurityError: ["this page may have no microphone: it was not loaded by https or from localhost", "Serve it so, or choose a file."],
  }[name] ?? [`the microphone cannot be used: ${message || name}`, "Choose a file instead."];
  return Object.assign(new Error(line), { remedy });
}
