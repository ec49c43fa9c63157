/** Settings by their names, as `mcsan config` lists them: `{"train.epochs": 3}`. */
export type Settings = Record<string, number | string | boolean>;

/** What every function here throws: `message` says what is wrong, `remedy` what may help. */
export interface Failure extends Error {
  remedy?: string;
}

/** The program's version. */
export function version(): string;

/** Names of all kernels. */
export function kernels(): string[];

/** What a page can compute on besides the reference. */
export function devices(): Promise<{ name: string; software: boolean }[]>;

/** A recording (WAV, FLAC, MP3, M4A, AIFF, Ogg Vorbis, Matroska) as samples: mono, 16 kHz, full scale at 1. */
export function decode(bytes: Uint8Array, name: string): Float32Array;

/** Where a page computes. */
export class Engine {
  private constructor();
  free(): void;
  /** `auto`: WebGPU where there is some, else the reference compiled to WebAssembly. */
  static open(name: "auto" | "webgpu" | "cpu"): Promise<Engine>;
  readonly name: string;
  readonly kind: "webgpu" | "cpu";
  /** Why the reference computes, where WebGPU was looked for. */
  readonly notice: string | undefined;
  /** Why the device is lost, where it is: then another has to be opened. */
  readonly lost: string | undefined;
}

/** What attends to what, of one layer. */
export interface Attention {
  /** The stream whose rows ask, or the query in words. */
  by: string;
  /** The stream whose rows are asked: `audio` or `text`. */
  over: string;
  heads: number;
  rows: number;
  columns: number;
  /** `[heads, rows, columns]`; the sum over the columns is 1. */
  weights: Float32Array;
}

export interface Prediction {
  classes: string[];
  /** In the order of the classes. */
  probabilities: number[];
  /** The transcript's tokens; a row of `text` each, or one row where there is none. */
  tokens: string[];
  /** Whether the model knows the token. */
  known: boolean[];
  /** Seconds from a row of `audio` to the next; null of a model that shows no attention. */
  frameSeconds: number | null;
  /** Seconds from an acoustic frame to the next: less than `frameSeconds` behind pools. */
  hopSeconds: number | null;
  attention: Attention[];
  /** Whether the recording is longer than the model reads. */
  cut: boolean;
  /** Milliseconds by the device's clock, or the page's where it has none; null where it did not say. */
  kernels: { name: string; ms: number | null; launches: number }[];
}

/** A trained model, of the file that `mcsan export --web` writes. */
export class Model {
  private constructor();
  free(): void;
  /** `name` is what errors name. */
  static load(bytes: Uint8Array, name?: string): Model;
  bytes(): Uint8Array;
  readonly info: {
    system: string;
    classes: string[];
    /** How many words it knows. */
    words: number;
    reads: ("audio" | "text")[];
    /** Seconds of a recording that it reads; null where it hears nothing. */
    longest: number | null;
    parameters: number;
    epoch: number;
    /** As TOML. */
    settings: string;
  };
  /** `samples`: mono, 16 kHz. */
  predict(engine: Engine, samples: Float32Array | undefined, transcript: string | undefined): Promise<Prediction>;
}

export interface Clip {
  /** A path within the data set, which names the utterance; each once. */
  name: string;
  bytes: Uint8Array;
  text?: string;
  label?: string;
  speaker?: string;
  split?: "train" | "validation" | "test" | "unlabelled";
}

export interface Preparation {
  /** Divides 8 : 1 : 1 into training, validation and test: whole speakers, or at random, each class evenly. `auto`: as the data say, else by
   * speakers, else at random, as far as there are enough. */
  split?: "speaker" | "random" | "auto";
  /** By which they are shuffled. */
  seed?: number;
  /** How many recordings may be left out that cannot be read; none. */
  allowMissing?: number;
}

export type Progress = (progress: { done: number; total: number }) => void;

/** A data set, prepared in memory. Without any split every utterance is trained on. */
export class Dataset {
  private constructor();
  free(): void;
  static prepare(engine: Engine, clips: Clip[], options?: Preparation, progress?: Progress): Promise<Dataset>;
  /** Files as they lie in a folder: those that `manifest`, the path of a CSV among them, lists, or a folder of recordings a class, with a
   * text file of the same name beside each. */
  static folder(
    engine: Engine,
    files: { path: string; bytes: Uint8Array }[],
    options?: Preparation & { manifest?: string },
    progress?: Progress,
  ): Promise<Dataset>;
  /** A ZIP of such a folder. */
  static archive(
    engine: Engine,
    zip: Uint8Array,
    options?: Preparation & { manifest?: string },
    progress?: Progress,
  ): Promise<Dataset>;
  /** The file that `mcsan prepare` writes; `name` is what errors name. */
  static load(bytes: Uint8Array, name?: string): Dataset;
  bytes(): Uint8Array;
  readonly info: {
    corpus: string;
    classes: string[];
    utterances: number;
    splits: { train: number; validation: number; test: number };
    leftOut: { id: string; reason: string }[];
  };
}

export interface Figures {
  utterances: number;
  /** Shares of one. */
  wa: number;
  ua: number;
  macroF1: number;
  weightedF1: number;
  loss: number;
}

export type TrainingEvent =
  | { type: "start"; epochs: number; steps: number; done: number; train: number; validation: number }
  | { type: "step"; step: number; epoch: number; loss: number; learningRate: number; utterancesPerSecond: number }
  | { type: "epoch"; epoch: number; train: Figures; validation: Figures | null; best: boolean }
  | { type: "checkpoint"; step: number; epoch: number }
  | { type: "test"; test: Figures }
  | { type: "notice"; notice: string };

/** A training: epochs of steps, the best model of the validation split kept. */
export class Training {
  private constructor();
  free(): void;
  static create(data: Dataset, settings?: Settings): Training;
  /** Starts from a model: its network, and its weights as far as classes and words are the same. */
  static fromModel(model: Model, data: Dataset, settings?: Settings): Training;
  /** Goes on from what `checkpoint` gave, on the same data, to the bytes of a training that was never stopped. */
  static resume(checkpoint: Uint8Array, data: Dataset, settings?: Settings): Training;
  /** To the end, or until it is stopped; called again it goes on. */
  run(
    engine: Engine,
    events?: (event: TrainingEvent) => void,
  ): Promise<{ stopped: true; step: number } | { stopped: false; epoch: number; test: Figures | null }>;
  stop(): void;
  /** What it goes on from, after an epoch or a stop: a ZIP that unpacked is a run's folder of the command line. */
  checkpoint(): Uint8Array;
  /** The best model so far, for `Model.load` and `mcsan predict --run`. */
  model(): Uint8Array;
  /** The best model so far, as `mcsan train` writes `best.safetensors`. */
  weights(): Uint8Array;
  /** As TOML. */
  readonly settings: string;
}
