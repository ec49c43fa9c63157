// The worker that computes, as the page calls it. A worker that fails as a whole is begun anew by the next call.

/** What a device is asked for as: the page's address may say it, `?device=cpu`. */
export const asked = { device: new URL(location.href).searchParams.get("device") ?? "auto" };

export class Computer {
  #worker;
  #calls = new Map();
  #last = 0;
  #what;

  /** @param {string} what its name in the browser's tools. */
  constructor(what) {
    this.#what = what;
    /** How often a worker was begun: what was loaded into an earlier one is gone. */
    this.begun = 0;
  }

  /**
   * Calls a function of `worker.js`. What it tells on the way goes to `onEvent`.
   * Rejects with an `Error`: `remedy` says what may help, `lost` that the device is gone, `fault` that the worker is.
   */
  call(name, args = {}, onEvent = () => {}) {
    const worker = (this.#worker ??= this.#begin());
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, onEvent });
      worker.postMessage({ id, name, args, device: asked.device });
    });
  }

  /** Ends the worker; what it was asked is refused with `error`. */
  end(error) {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }

  #begin() {
    this.begun += 1;
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: this.#what });
    worker.addEventListener("message", ({ data }) => this.#take(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.end(fault(event.message ?? "its program could not be loaded"));
    });
    return worker;
  }

  #take({ id, event, result, error }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (event !== undefined) {
      call.onEvent(event);
    } else if (error === undefined) {
      this.#calls.delete(id);
      call.resolve(result);
    } else if (error.fault) {
      this.end(fault(error.message));
    } else {
      this.#calls.delete(id);
      call.reject(Object.assign(new Error(error.message), error));
    }
  }
}

function fault(reason) {
  return Object.assign(new Error(`the computation broke off: ${reason}`), { fault: true, remedy: "Try again: it is begun anew. What you chose is kept." });
}
